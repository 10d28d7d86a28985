"""The processes that a library starts for one engine: watched from their first moment, ended as one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import active_children

from app.engines import reaper
from app.engines.spawning import spawning
from app.engines.worker_log import WorkerLog


class Workers:
    """Those begun within :meth:`starting`, and what they print."""

    def __init__(self) -> None:
        self.log = WorkerLog()
        self._begun: dict[int, str] = {}
        self._ended = False
        self._lock = threading.Lock()

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Within it, the children that this thread starts by multiprocessing are of this engine."""
        try:
            with spawning(self.log.write_end, self._add):
                yield
        finally:
            self.log.close_our_end()

    def _add(self, pid: int) -> None:
        reaper.watch(pid)
        with self._lock:
            self._begun[pid] = reaper.started(pid)
            ended = self._ended
        if ended:
            self.end()

    @property
    def ended(self) -> bool:
        """Whether :meth:`end` was called."""
        return self._ended

    def end(self) -> None:
        """Kill them all with their descendants, also those that are yet to begin; returns when they are gone."""
        with self._lock:
            self._ended = True
            begun, self._begun = self._begun, {}
        for pid, when in begun.items():
            reaper.kill(pid, when)
            reaper.forget(pid)
        active_children()  # takes the dead ones' exit codes, so that no zombies stay
