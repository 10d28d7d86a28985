"""The product as a user runs it: documents on disk, commands in processes of their own, a server beside them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

DOCUMENTS = {
    "en/lighthouse.md": (
        "# The lighthouse of Skarvoy\n\nThe lighthouse of Skarvoy was built in 1871 by Ingrid Halvorsen.\n\n"
        "## The lamp\n\nIts lamp burns rapeseed oil and is seen from nineteen nautical miles away.\n\n"
        "## Visitors\n\nVisitors reach the island by a ferry that leaves Bergsund every Tuesday at noon.\n"
    ),
    "en/bakery.txt": (
        "The bakery on Mill Street opens at five in the morning.\n"
        "Its rye bread rests for thirty hours before it is baked in a stone oven.\n"
    ),
    "zh/灯塔.md": (
        "# 青屿灯塔\n\n青屿灯塔由林海生于一九零三年主持修建。\n\n## 灯光\n\n灯塔的光在二十海里之外也能看见。\n\n"
        "## 参观\n\n游客每周四可以从白沙码头乘渡轮上岛。\n"
    ),
}


def write_documents(folder: Path) -> Path:
    """The documents above, as files below ``folder``."""
    for name, text in DOCUMENTS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def environment(data: Path, **extra: str) -> dict[str, str]:
    """A user's environment with its own data folder and no engine but the built-in one."""
    return {
        **os.environ, "DATA_DIR": str(data), "OLLAMA_BASE_URL": "http://127.0.0.1:9", "LOG_LEVEL": "WARNING",
        "HF_HUB_OFFLINE": "1", **extra,
    }  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one JSON document."""
        return json.loads(self.out)


def command(data: Path, *args: str, **extra: str) -> Ended:
    """Run ``python -m app ARGS``."""
    done = subprocess.run(
        [sys.executable, "-m", "app", *args], cwd=ROOT, env=environment(data, **extra), capture_output=True, text=True,
        timeout=280, encoding="utf-8",
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str) -> Any:
        """The JSON at ``path``."""
        with urllib.request.urlopen(self.url + path, timeout=20) as response:
            return json.load(response)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(how)
        return self.process.wait(30)


def _options(program: Sequence[str], port: int) -> list[str]:
    if program[0] == "app":
        return ["--headless", "--port", str(port)]
    return ["--server.headless=true", f"--server.port={port}"]


@contextmanager
def server(data: Path, *args: str, program: Sequence[str] = ("app", "serve"), **extra: str) -> Iterator[Server]:
    """``python -m app serve`` (or another program that serves) on a free port, ended at the end."""
    port = free_port()
    data.parent.mkdir(parents=True, exist_ok=True)
    log = data.parent / f"{data.name}-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *program, *_options(program, port), *args],
            cwd=ROOT, env=environment(data, **extra), stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    running = Server(f"http://127.0.0.1:{port}", process, log)
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, log.read_text()
            try:
                running.get("/health/live")
                break
            except OSError:
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
