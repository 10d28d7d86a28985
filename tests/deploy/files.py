"""The files of a deployment, read for the tests that compare them with each other and with the product."""

from __future__ import annotations

import json
import re
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import cli
from app.config import ROOT, Settings
from tools.servers import find_command

DEPLOY = ROOT / "deploy"
SETTINGS = {name.upper() for name in Settings.model_fields} | {"CONFIG_FILE"}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def compose() -> dict[str, Any]:
    return yaml.safe_load(text("compose.yaml"))


def service_unit() -> list[tuple[str, str]]:
    """The unit's lines as (key, value); a key may be there several times."""
    lines = text("deploy/hotswap.service").splitlines()
    return [(key, value) for line in lines if line[:1].isalpha() for key, _, value in [line.partition("=")]]


def dockerfile() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile: (name, arguments)."""
    lines = [line for line in text("Dockerfile").splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest.strip()) for line in joined.splitlines() if line for name, _, rest in [line.partition(" ")]]


def instruction(name: str) -> str:
    """The arguments of the last instruction of this name."""
    return [rest for found, rest in dockerfile() if found == name][-1]


def healthcheck() -> list[str]:
    """The command of the image's HEALTHCHECK."""
    return json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])


def app_arguments(command: list[str]) -> Any:
    """The arguments after ``python -m app``, as the product itself reads them."""
    assert [Path(command[0]).name, *command[1:3]] == ["python", "-m", "app"]
    return cli._parser().parse_args(command[3:])


def variables(of: str) -> set[str]:
    """The names that an example of an environment file has, commented out or not."""
    return set(re.findall(r"^(?:# )?([A-Z_]+)=", text(of), re.MULTILINE))


def code_blocks(markdown: str) -> list[str]:
    """The indented blocks of a page, without their indentation."""
    found = re.findall(r"(?:^(?: {4}| {6}).*\n|^\n(?= {4}))+", markdown, re.MULTILINE)
    return [textwrap.dedent(block).strip("\n") for block in found if block.strip()]


def seconds(duration: str) -> int:
    """What ``2m`` and ``90s`` mean to Compose, and ``120`` to systemd."""
    number, unit = re.fullmatch(r"(\d+)([ms]?)", duration).groups()  # type: ignore[union-attr]
    return int(number) * (60 if unit == "m" else 1)


def needed(command: str) -> str:
    """The path of a command that `make test` installs on Debian; elsewhere its tests are left out."""
    if path := find_command(command):
        return path
    pytest.skip(f"needs {command}")


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """A little server of this machine; its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
