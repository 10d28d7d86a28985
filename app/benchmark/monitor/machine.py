"""What a benchmark takes of the processors and of the RAM: the machine's, and of this process, the client."""

from __future__ import annotations

import time
from typing import Any

import psutil

from app.benchmark.figures import Distribution
from app.benchmark.monitor.cores import Busy
from app.models import free_memory


class MachineWatch:
    """From its making on. In a container, machine means what the container may take.

    The client is this process without its children: with an engine in this process it holds the engine, too.
    """

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._busy = Busy()
        self._percents: list[float] = []
        self._total = self._used = self._client = 0
        self._began = self._seconds = time.process_time()
        self.look()

    def look(self) -> None:
        """Sample all of it."""
        percent = self._busy.percent()
        if percent is not None:
            self._percents.append(percent)
        memory = free_memory("cpu")
        self._total = memory.total
        self._used = max(self._used, memory.total - memory.free)
        self._client = max(self._client, self._process.memory_info().rss)
        self._seconds = time.process_time()

    def cpu(self, seconds: float, output_tokens: int | None) -> dict[str, Any]:
        """The keys that programs rely on, of a run of ``seconds``; ``client_share`` is 1 for a whole core."""
        taken = self._seconds - self._began
        return {
            "machine_percent": Distribution.of(self._percents).as_dict() if self._percents else None,
            "client_seconds": round(taken, 3),
            "client_share": round(taken / seconds, 4) if seconds > 0 else None,
            "client_seconds_per_token": round(taken / output_tokens, 6) if output_tokens else None,
        }

    def memory(self) -> dict[str, Any]:
        """The keys that programs rely on; bytes."""
        return {"machine_used_peak": self._used, "machine_total": self._total, "client_peak": self._client}
