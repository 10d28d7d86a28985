"""Writes one setting into the settings file and leaves every other character of it alone."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from app import config
from app.config_errors import shown_value
from app.config_file import FileSource
from app.errors import ConfigError

_HEAD = "# Settings of Hotswap. An environment variable of the same name wins; see config.example.yaml."
_BREAK = re.compile(r"\r\n|\r|\n")
_NO_CONTENT = re.compile(r"[ \t]*(#.*)?")  # a line that is blank or a comment


@dataclass(frozen=True)
class Written:
    """``before`` is what the file said until now; ``overridden_by`` the environment variable that wins over it."""

    path: Path
    before: str | None
    overridden_by: str | None


def set_value(key: str, value: str | dict[str, Any]) -> Written:
    """Writes ``KEY: value`` into the settings file in use; where there is none, into a new ``config.yaml``.

    An empty ``value`` leaves the setting to its default.

    Raises:
        ConfigError: the file is not valid, cannot be written, or is built so that it had to be rewritten.
    """
    path = config.config_file()
    before = FileSource(config.Settings, path)().get(key.lower())
    path = path or config.ROOT / "config.yaml"
    try:
        old = path.read_bytes().decode("utf-8") if path.exists() else f"{_HEAD}\n"
        new = _changed(old, key, value)
        if new is None:
            raise ConfigError(f"{path.name} is built so that {key} cannot be set in it.", _by_hand(key, value))
        if new != old:
            _replace(Path(os.path.realpath(path)), new)
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be written: {error.strerror}.", _by_hand(key, value)) from None
    return Written(path, None if before is None else str(before), _overriding(key))


def _by_hand(key: str, value: object) -> str:
    return f"Set {key} to {shown_value(key, value)} there by hand, or in the environment."


def _overriding(key: str) -> str | None:
    """The variable that wins over the file. As the settings are read: in any case, and an empty one is unset."""
    wanted = [key.lower(), *(["inference_engine"] if key.lower() == "llm_engine" else [])]
    variables = {name.lower(): name for name, text in os.environ.items() if text}
    return next((variables[name] for name in wanted if name in variables), None)


def _changed(old: str, key: str, value: str | dict[str, Any]) -> str | None:
    """``old`` with the setting in it; None where no change of it gives the old settings and the new one alone."""
    wanted = _effective(old)
    wanted.pop(key.lower(), None)
    if value:
        wanted[key.lower()] = value
    for text in _candidates(old, key, _on_one_line(value)):
        try:
            if _effective(text) == wanted:
                return text
        except yaml.YAMLError:
            continue
    return None


def _effective(text: str) -> dict[str, Any]:
    """The settings in ``text`` as they count: names in any case, empty ones unset."""
    data = yaml.safe_load(text)
    pairs = data.items() if isinstance(data, dict) else ()
    return {str(name).lower(): value for name, value in pairs if value not in (None, "")}


def _candidates(old: str, key: str, scalar: str) -> Iterator[str]:
    root = yaml.compose(old, Loader=yaml.SafeLoader)
    pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    if isinstance(root, yaml.MappingNode):
        if root.flow_style:
            return
        # Of equal names the last counts; of names that differ in case, the one that comes up last.
        pairs |= {name.value: (name, held) for name, held in root.value if str(name.value).lower() == key.lower()}
    if pairs:
        yield _replaced(old, *list(pairs.values())[-1], scalar)
        return
    line = " " * (root.start_mark.column if root else 0) + f"{key.upper()}: {scalar}"
    ending = found[0] if (found := _BREAK.search(old)) else "\n"
    for default in re.finditer(rf"^[ \t]*#[ \t]*(?:{key.upper()}|{key.lower()})[ \t]*:[^\r\n]*", old, re.MULTILINE):
        yield f"{old[: default.end()]}{ending}{line}{old[default.end() :]}"
    if old.strip("\ufeff"):
        end = len(old) - len(ending) if old.endswith(ending) else len(old)
        yield f"{old[:end]}{ending}{line}{old[end:]}"
    else:
        yield f"{old}{line}{ending}"


def _replaced(old: str, name: yaml.Node, held: yaml.Node, scalar: str) -> str:
    """``old`` with ``scalar`` in the place of the value ``held``."""
    start, end = held.start_mark.index, held.end_mark.index
    if start == end:  # no value: its place is right behind the colon
        return f"{old[:start]} {scalar}{old[end:]}"
    lines = old[start:end].splitlines(keepends=True)
    block = isinstance(held, yaml.CollectionNode) and not held.flow_style
    # What has no closing mark reaches up to the next key: blank lines, and comments below a list, are not part of it.
    while not lines[-1].strip() or (block and _NO_CONTENT.fullmatch(lines[-1].rstrip("\r\n"))):
        lines.pop()
    end = start + len("".join(lines).rstrip())
    if isinstance(held, yaml.ScalarNode) and held.style in ("|", ">"):
        scalar += "".join(re.findall(r"[ \t]+#.*", lines[0].rstrip()))  # the comment on the key's own line
    deeper = " " * (name.start_mark.column + 1 - held.start_mark.column)  # a list may stand right below its key
    return f"{old[:start]}{deeper}{scalar}{old[end:]}"


def _on_one_line(value: str | dict[str, Any]) -> str:
    """``value`` as YAML, in quotes where it would be read as something else without them."""
    style = None if isinstance(value, dict) or value.isprintable() else '"'
    dumped = yaml.safe_dump(value, allow_unicode=True, width=10**9, default_style=style, default_flow_style=True)
    return str(dumped).splitlines()[0]


def _replace(path: Path, text: str) -> None:
    """Puts a file with ``text`` in the place of ``path``, all of it or nothing. Raises OSError."""
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "it is read-only")
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as file:
            if path.exists():
                shutil.copymode(path, beside)  # before there is a key in it to be read
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
