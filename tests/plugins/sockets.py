"""What a program and the Pythons below it reach for on the network, written down at the socket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.plugins.no_network import is_local

RECORDER = Path(__file__).parent / "socket_record"


class Record:
    """Give ``environment`` to a program; afterwards ask what it did."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "sockets.jsonl"
        self.environment = {"PYTHONPATH": str(RECORDER), "SOCKET_RECORD": str(self._file)}

    def processes(self) -> set[int]:
        """Those that were watched."""
        return {process for process, _, event, _ in self._lines() if event == "began"}

    def reached(self) -> list[str]:
        """Every host that was looked up, connected to or sent to."""
        return [host for _, _, event, host in self._lines() if event != "began"]

    def foreign(self) -> list[str]:
        """What is not this machine: who wanted it, how, and which host."""
        lines = self._lines()
        return [f"{program}: {event} {host}" for _, program, event, host in lines if not is_local(host)]

    def _lines(self) -> list[Any]:
        return [json.loads(line) for line in self._file.read_text(encoding="utf-8").splitlines()]
