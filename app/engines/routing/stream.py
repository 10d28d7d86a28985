"""One attempt on one route, with what it teaches about the route: its load while it runs, its speed, that it lives."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from app.engines.routing.exchange import Part, Patience, exchange
from app.engines.routing.faults import Fault
from app.engines.routing.live import LiveRoute
from app.engines.routing.resume import Attempt


class Stream:
    """Counts as under way from before it connects until :meth:`close`."""

    def __init__(self, live: LiveRoute, attempt: Attempt, patience: Patience) -> None:
        self.live, self.attempt = live, attempt
        self._clock = live.now
        self.began = self._clock()
        self._parts = exchange(live.route, live.model, attempt.path, attempt.body, patience)
        self._first: Part | None = None
        self._open = True
        live.in_flight += 1

    @property
    def seconds(self) -> float:
        """Since it was begun."""
        return self._clock() - self.began

    async def first(self) -> None:
        """Waits for the first token. Raises Fault."""
        async for part in self._parts:
            self.attempt.trail.take(part)
            if part.says_something:
                self.live.ttft.sample(self.seconds)
                self.live.heard()
                self._first = part
                return

    async def rest(self) -> AsyncGenerator[Part]:
        """The parts from the first token on. Raises Fault."""
        if self._first is None:
            return
        yield self._first
        began, pieces = self._clock(), 0
        try:
            async with aclosing(self._parts) as parts:
                async for part in parts:
                    self.attempt.trail.take(part)
                    self.live.heard()
                    pieces += 1
                    if part.reason is not None and pieces > 1:
                        self.live.gap.sample((self._clock() - began) / pieces)
                    yield part
        except Fault as fault:
            fault.midway = True
            raise

    async def close(self) -> None:
        """Ends the request, if it has not ended; the server then stops working on it."""
        if self._open:
            self._open = False
            self.live.in_flight -= 1
            await self._parts.aclose()
