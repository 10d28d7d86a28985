"""The run's clock: seconds since it began, and waiting for a time of it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

_COARSE = 0.001
"""Seconds. The event loop wakes up to a millisecond late; the rest is waited for awake, all of it at the CPU's cost."""


class Clock(Protocol):
    """Monotonic; 0 is the beginning of the run."""

    def now(self) -> float:
        """Seconds since the beginning."""
        ...

    async def sleep_until(self, when: float) -> None:
        """Returns at ``when`` or as soon after it as can be; at once where that has passed."""
        ...


class RealClock:
    """The computer's own."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()

    def now(self) -> float:
        """See Clock."""
        return time.perf_counter() - self._begin

    async def sleep_until(self, when: float) -> None:
        """See Clock."""
        if (left := when - self.now()) > _COARSE:
            await asyncio.sleep(left - _COARSE)
        while self.now() < when:
            await asyncio.sleep(0)
