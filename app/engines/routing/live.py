"""A route as it is now: its health, its load, and what is known of its server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Literal

from app.engines.http import shown
from app.engines.routing.health import Health
from app.engines.routing.latency import PeakEwma
from app.engines.routing.policies import Load
from app.engines.routing.routes import Route
from app.schema import RouteStatus

log = logging.getLogger(__name__)

Resumes = Literal["text", "no"]


class LiveRoute:
    """Belongs to the engines' event loop; other threads only look."""

    def __init__(self, route: Route, now: Callable[[], float] = time.monotonic) -> None:
        self.route = route
        self.health = Health(now)
        self.ttft = PeakEwma(now)
        self.gap = PeakEwma(now)
        """Seconds between two pieces of an answer."""
        self.in_flight = 0
        self.answered = 0
        self.model = route.model
        """What is asked for; empty until it is known."""
        self.window: int | None = None
        self.problem = ""
        """What is odd about its server, though it may answer: another model, another context."""
        self.takes_ids = False
        """Whether the tokens are worth asking for: somebody else could go on from them."""
        self.takes_tokens = True
        self.resumes: Resumes | None = None
        """Whether it goes on with a text that was begun; None until it was tried."""
        self.breaks_midway = False
        """Whether it failed last in the midst of an answer: then one token from it proves nothing."""
        self.learning: asyncio.Task[None] | None = None
        self.heard_at = self.probed_at = self.wondered_at = float("-inf")
        self.now = now

    @property
    def load(self) -> Load:
        """As policies see it."""
        route = self.route
        return Load(route.name, route.weight, self.in_flight, self.ttft.faded, self.health.share)

    def heard(self) -> None:
        """It wrote something just now."""
        self.heard_at = self.now()

    def readmitted(self) -> None:
        """It is back: what it was before no longer says how fast it is."""
        if not self.health.admitted:
            self.ttft.forget()
            self.gap.forget()
            log.warning("route %s is back", self.route.name)
        self.health.readmitted()

    def status(self) -> RouteStatus:
        """As people and programs see it; times in seconds ago and milliseconds."""
        health, route = self.health, self.route
        return RouteStatus(
            name=route.name,
            url=shown(route.url),
            model=self.model,
            state="busy" if health.admitted and health.busy else health.state,
            reason=health.reason,
            since_s=None if health.since is None else round(self.now() - health.since, 1),
            ejections=health.ejections,
            ttft_ms=None if self.ttft.value is None else round(self.ttft.value * 1000, 1),
            in_flight=self.in_flight,
            answered=self.answered,
            weight=route.weight,
            tier=route.rank[1],
            fallback=route.rank[0],
            problem=self.problem,
        )
