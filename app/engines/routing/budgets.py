"""How much may be asked twice: retries and hedges as a share of the questions of the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

WINDOW = 10.0
"""Seconds."""


class Budget:
    """Lets through ``share`` of the questions of the last ten seconds, and ``floor`` each second in any case.

    It holds storms back: where everything fails, everybody asking again makes it worse.
    """

    def __init__(self, share: float, floor: float, now: Callable[[], float]) -> None:
        self._share, self._floor, self._now = share, floor, now
        self._questions: deque[float] = deque()
        self._spent: deque[float] = deque()

    def question(self) -> None:
        """One more question came."""
        self._questions.append(self._now())
        self._forget(self._questions)

    def spend(self) -> bool:
        """Whether one more extra request may be made; it is counted if so."""
        for times in (self._questions, self._spent):
            self._forget(times)
        if len(self._spent) + 1 > max(self._share * len(self._questions), self._floor * WINDOW):
            return False
        self._spent.append(self._now())
        return True

    def _forget(self, times: deque[float]) -> None:
        while times and times[0] <= self._now() - WINDOW:
            times.popleft()
