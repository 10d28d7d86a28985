"""How far a download is, and how fast it goes."""

from __future__ import annotations

import threading
import time
from collections import deque

from app.schema import Progress

_WINDOW = 5.0  # seconds that the speed is taken over


class Meter:
    """Bytes of a model that are here, counted from several threads."""

    def __init__(self, name: str, here: int, total: int) -> None:
        self.came = 0
        self._name = name
        self._done, self._total = here, total
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def add(self, count: int) -> None:
        """``count`` bytes came; a negative number was thrown away."""
        with self._lock:
            self._done += count
            self.came += max(0, count)

    def progress(self, files: str) -> Progress:
        """The state as it is shown; ``files`` says how many are whole."""
        now = time.monotonic()
        with self._lock:
            self._seen.append((now, self.came))
            while len(self._seen) > 2 and now - self._seen[1][0] >= _WINDOW:
                self._seen.popleft()
            begun, before = self._seen[0]
            rate = (self.came - before) / (now - begun) if now > begun else 0.0
            return Progress("fetching", max(0, self._done), self._total, self._name, files, rate)
