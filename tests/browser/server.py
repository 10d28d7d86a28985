"""The product as it is started by hand: one process, its own data folder, a few documents put in by command."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 120  # seconds for a start on a busy machine


def free_port() -> int:
    """A port of this machine where nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Server:
    """``python -m app serve`` on a port of its own; it can be stopped and started again on the same data."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {**os.environ, "DATA_DIR": str(data), **settings}
        self._log = data.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> None:
        """Run ``python -m app ARGUMENTS`` on the same data."""
        done = subprocess.run(
            [sys.executable, "-m", "app", *arguments], cwd=ROOT, env=self._environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Returns once it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app", "serve", "--headless", "--port", str(self.port)],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + _PATIENCE
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < end, self._log.read_text(encoding="utf-8")
            time.sleep(0.1)

    def stop(self) -> None:
        """As Ctrl-C does."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text(encoding="utf-8")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/live", timeout=2) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False
