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
_PATIENCE = 120  # seconds for a start on a busy machine

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


class Server:
    """``python -m app serve ARGS`` (or another program) on a free port; it can be stopped and started again."""

    def __init__(self, data: Path, *args: str, program: Sequence[str] = ("app", "serve"), **extra: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = data.parent / f"{data.name}-{port}.log"
        self._command = [sys.executable, "-m", *program, *_options(program, port), *args]
        self._environment = environment(data, **extra)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=out, stderr=subprocess.STDOUT
            )
        self._process = process
        deadline = time.monotonic() + _PATIENCE
        while True:
            assert process.poll() is None, self.log.read_text()
            try:
                self.get("/health/live")
                return
            except OSError:
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.1)

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    def get(self, path: str) -> Any:
        """The JSON at ``path``."""
        with urllib.request.urlopen(self.url + path, timeout=20) as response:
            return json.load(response)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        assert self._process is not None
        self._process.send_signal(how)
        return self.wait()

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        assert self._process is not None
        return self._process.wait(30)

    def end(self) -> None:
        """Stop it if it runs, whatever it takes."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _options(program: Sequence[str], port: int) -> list[str]:
    if program[0] == "app":
        return ["--headless", "--port", str(port)]
    return ["--server.headless=true", f"--server.port={port}"]


@contextmanager
def server(data: Path, *args: str, program: Sequence[str] = ("app", "serve"), **extra: str) -> Iterator[Server]:
    """A :class:`Server` that runs, ended at the end."""
    running = Server(data, *args, program=program, **extra)
    try:
        running.start()
        yield running
    finally:
        running.end()
