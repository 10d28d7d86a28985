"""The way of one question from route to route: who was asked, who is next, and after what pause."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.engines.routing.faults import Blame, Fault
from app.engines.routing.live import LiveRoute
from app.schema import RouteTry

if TYPE_CHECKING:
    from app.engines.routing.router import Router

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 4.0
"""Seconds before routes that were tried are tried again: doubling, with full jitter.

Source: M. Brooker, Exponential Backoff and Jitter (AWS Architecture Blog, 2015).
"""


class Itinerary:
    """``can`` tells whether a route could answer at all, ``end`` when the time for all of it is over."""

    def __init__(self, router: Router, key: str, can: Callable[[LiveRoute], bool], end: float | None) -> None:
        self._router, self._key, self._can, self._end = router, key, can, end
        self.faults: list[tuple[LiveRoute, Fault]] = []
        self.tries: list[RouteTry] = []
        self.tried: set[LiveRoute] = set()
        self.rounds = 0
        """Of asking the same routes again, since the last new word."""
        self._asked: set[LiveRoute] = set()  # since the last new word
        self._moved = False  # new words came since routes were last given another chance
        self._clock = asyncio.get_running_loop().time
        self._turn = self._clock()

    async def next(self) -> LiveRoute | None:
        """Another one; where all were asked, after a pause, one that may do better now; None where nobody is left."""
        live = self._choose()
        if live is None and self._moved:
            self._moved, self.tried = False, {self.faults[-1][0]}
            live = self._choose()
        while live is None and (pause := self._pause()) is not None:
            await asyncio.sleep(pause)
            self.rounds += 1
            self.tried -= {tried for tried, fault in self.faults if fault.again}
            live = self._choose()
        if live is None:
            live = self._router.least_hopeless(self.tried, self._can)
        self._turn = self._clock()
        return live if live is not None and self._may_ask(live) else None

    def others(self, live: LiveRoute) -> bool:
        """Whether somebody else could answer instead of ``live``."""
        tried = {*self.tried, live}
        other = self._router.choose(tried, self._key, self._can, peek=True)
        if other is None and not live.health.admitted:
            other = self._router.least_hopeless(tried, self._can)
        return other is not None

    def note(self, live: LiveRoute, fault: Fault) -> None:
        """``live`` was asked, and failed."""
        self._router.note(live, fault)
        self.tried.add(live)
        self._asked.add(live)
        self.faults.append((live, fault))
        self.log(live, fault.reason)

    def log(self, live: LiveRoute, outcome: str) -> None:
        """What came of the turn of ``live``."""
        self.tries.append(RouteTry(live.route.name, outcome, round((self._clock() - self._turn) * 1000, 1)))

    def progressed(self) -> None:
        """New words came: everybody may be asked for the rest."""
        self._moved, self.rounds = True, 0
        self._asked.clear()

    def _choose(self) -> LiveRoute | None:
        return self._router.choose(self.tried, self._key, self._can)

    def _may_ask(self, live: LiveRoute) -> bool:
        """Routes that are well are asked, or their deaths could lose answers; asking again has a budget."""
        if not self.faults or (live.health.admitted and live not in self._asked):
            return True
        return self._router.retries.spend()

    def _pause(self) -> float | None:
        """Seconds until it is worth to ask again; None where it is not."""
        again = [fault for live, fault in dict(self.faults).items() if fault.again and self._can(live)]
        if not again or self.rounds >= self._router.llm.params.max_retries:
            return None
        seconds = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**self.rounds))
        if all(fault.blame is Blame.BUSY for fault in again):
            seconds = max(seconds, min(fault.wait or 0.0 for fault in again))
        too_late = self._end is not None and self._clock() + seconds >= self._end
        return None if too_late else seconds
