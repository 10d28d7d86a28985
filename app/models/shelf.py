"""The product's own models: ``MODELS_DIR/org/name``, and the folders elsewhere that it was told of.

``registered.json`` beside them names those folders. A model that was fetched carries its manifest.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import DiskFull
from app.models.folder import CONFIG, MARKS, model_name

_REGISTER = "registered.json"
_PART = re.compile(r"[\w.-]+", re.ASCII)


def place(shelf: Path, name: str, revision: str = "") -> Path:
    """Where the model ``name`` (``org/name`` or ``name``) is kept; each revision has a folder of its own."""
    return shelf.joinpath(*f"{name}@{revision.replace('/', '--')}".rstrip("@").split("/"))


def kept(shelf: Path, name: str, revision: str = "") -> Path | None:
    """The folder of a model by its name: a fetched one, else a registered one; None where there is none."""
    if not all(_PART.fullmatch(part) and part.strip(".") for part in name.split("/")):
        return None
    folder = place(shelf, name, revision)
    if folder.is_dir():
        return folder
    known = registered(shelf).get(name) if not revision else None
    return known if known is not None and known.is_dir() else None


def fetched(shelf: Path) -> Iterator[Path]:
    """The folders of all fetched models, whole or not, by name."""
    for outer in _folders(shelf):
        if _is_model(outer):
            yield outer
        else:
            yield from (inner for inner in _folders(outer) if _is_model(inner))


def shelf_name(shelf: Path, folder: Path) -> str:
    """The name by which settings may call the model in ``folder``: relative to the shelf it is on, else its own."""
    try:
        return folder.relative_to(shelf).as_posix()
    except ValueError:
        return model_name(folder)


def registered(shelf: Path) -> dict[str, Path]:
    """Folders elsewhere, by name; also those that are gone by now."""
    try:
        found = json.loads((shelf / _REGISTER).read_text(encoding="utf-8"))
        return {str(name): Path(str(path)) for name, path in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def register(shelf: Path, folder: Path) -> str:
    """Remember a folder that stays where it is; its name. Raises DiskFull where that cannot be written."""
    name, known = model_name(folder), registered(shelf)
    same = [other for other, path in known.items() if path == folder]
    if same:
        return same[0]
    if name in known:  # another folder of that name
        name = str(folder)
    _write(shelf, {**known, name: folder})
    return name


def forget(shelf: Path, name: str) -> bool:
    """Take ``name`` off the list; its folder stays. Whether it was there. Raises DiskFull."""
    known = registered(shelf)
    if name not in known:
        return False
    _write(shelf, {other: path for other, path in known.items() if other != name})
    return True


def _write(shelf: Path, known: dict[str, Path]) -> None:
    text = json.dumps({name: str(path) for name, path in known.items()}, indent=1, ensure_ascii=False)
    write_file(shelf / _REGISTER, text)


def write_file(path: Path, text: str) -> None:
    """Write a small file as one step. Raises DiskFull."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Work in a folder that may be full or not ours. Raises DiskFull."""
    try:
        yield
    except OSError as error:
        raise unwritable(folder, error) from None


def unwritable(folder: Path, error: OSError) -> DiskFull:
    """The error for a folder that takes no more."""
    hint = "Make room there, or choose another folder with --to or MODELS_DIR."
    return DiskFull(f"{folder} cannot be written: {error.strerror or error}.", hint)


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return []


def _is_model(folder: Path) -> bool:
    return any((folder / name).exists() for name in (CONFIG, *MARKS))
