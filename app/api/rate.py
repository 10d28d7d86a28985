"""How often a key may ask: a bucket of tokens for each, filled at a steady rate.

Source: the token bucket of RFC 2697, with one rate.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable


class RateLimit:
    """``per_minute`` requests, as a burst or evenly; 0: no limit. Safe from any thread."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._now = now
        self._buckets: dict[int, tuple[float, float]] = {}  # by key: tokens, and when they were counted
        self._lock = threading.Lock()

    def take(self, key: int) -> int:
        """Takes a token of ``key``; 0, or where there is none, the seconds until there is one."""
        if not self._per_minute:
            return 0
        with self._lock:
            now = self._now()
            tokens, counted = self._buckets.get(key, (float(self._per_minute), now))
            tokens = min(float(self._per_minute), tokens + (now - counted) * self._per_minute / 60)
            granted = tokens >= 1
            self._buckets[key] = (tokens - 1 if granted else tokens, now)
            return 0 if granted else max(1, math.ceil((1 - tokens) * 60 / self._per_minute))
