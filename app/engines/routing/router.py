"""The routes of one engine, what is known of each, and the choice between them.

All of it happens on the engines' event loop, whoever asks: so that every question, synchronous or not, sees the same
counts. Other threads begin answers and look at the state.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import aclosing

from app.config_llm import LLMSection
from app.engines.feed import Feed
from app.engines.loop import submit
from app.engines.routing.answering import Answering, End
from app.engines.routing.budgets import Budget
from app.engines.routing.exchange import Part
from app.engines.routing.faults import Blame, Fault, Faults
from app.engines.routing.live import LiveRoute
from app.engines.routing.policies import policy
from app.engines.routing.prober import Prober
from app.engines.routing.requests import Question
from app.engines.routing.routes import Route
from app.engines.routing.session import session
from app.errors import EngineError, EngineUnavailable
from app.schema import RouteStatus

log = logging.getLogger(__name__)

Piece = str | Part | End


class Router:
    """Made once for an engine; :meth:`close` ends its background work."""

    def __init__(self, routes: Sequence[Route], llm: LLMSection, now: Callable[[], float] = time.monotonic) -> None:
        self.llm = llm
        self.routes = [LiveRoute(route, now) for route in routes]
        for live in self.routes:
            live.takes_ids = any(other is not live and other.route.model == live.route.model for other in self.routes)
        self.retries = Budget(share=0.2, floor=3.0, now=now)
        self.hedges = Budget(share=0.05, floor=0.1, now=now)
        self._policy = policy(llm.lb_policy, default_route=bool(llm.default_route))
        self._prober = Prober(self, now)

    def begin(self, question: Question) -> Feed[Piece]:
        """The answer as it comes; from any thread. Closing the feed ends the request."""

        def cancel() -> None:
            work.cancel()

        feed: Feed[Piece] = Feed(cancel)
        work = submit(self._write(question, feed))
        return feed

    async def _write(self, question: Question, feed: Feed[Piece]) -> None:
        self._prober.asked()
        try:
            async with aclosing(Answering(self, question).run()) as pieces:
                async for piece in pieces:
                    feed.put(piece)
            feed.end()
        except EngineError as error:
            if not session().closed:  # else Python ends, and who still reads is a thread that it leaves behind
                feed.end(error)
        except Exception as error:  # the reader is told in one line, the log has the rest
            log.exception("routing failed")
            feed.end(EngineUnavailable(f"Routing failed: {error!r}", "The log has the details."))

    def choose(
        self,
        tried: Collection[LiveRoute],
        key: str,
        can: Callable[[LiveRoute], bool],
        *,
        peek: bool = False,
    ) -> LiveRoute | None:
        """Who is asked next: of the routes that are in, are not busy and stand first, the policy's choice.

        A busy one only where all are. Where the last one that is in fails too, those that are out are no worse.
        ``peek`` only looks whether there is anybody, and takes nobody's turn.
        """
        if all(live.health.failing for live in self.routes if live.health.admitted):
            return self._least_recent(tried, can)
        ready = [live for live in self.routes if live.health.admitted and live not in tried and can(live)]
        ready = [live for live in ready if not live.health.busy] or ready
        if not ready:
            return None
        first = min(live.route.rank for live in ready)
        by_name = {live.route.name: live for live in ready if live.route.rank == first}
        if peek or len(by_name) == 1:
            return min(by_name.values(), key=lambda live: live.in_flight)
        return by_name[self._policy.pick([live.load for live in by_name.values()], key).name]

    def _least_recent(self, tried: Collection[LiveRoute], can: Callable[[LiveRoute], bool]) -> LiveRoute | None:
        """Of all that could answer, in or out, the one that failed longest ago."""
        left = [live for live in self.routes if live not in tried and can(live)]
        left = [live for live in left if live.health.state != "misconfigured"]
        return min(left, key=lambda live: live.health.failed_at, default=None)

    def least_hopeless(self, tried: Collection[LiveRoute], can: Callable[[LiveRoute], bool]) -> LiveRoute | None:
        """Of the routes that are out the one that failed longest ago; a misconfigured one only where all are."""
        out = [live for live in self.routes if not live.health.admitted and live not in tried and can(live)]
        out = [live for live in out if live.health.state == "out"] or out
        return min(out, key=lambda live: live.health.failed_at, default=None)

    def note(self, live: LiveRoute, fault: Fault) -> None:
        """What ``fault`` means for the route."""
        before = live.health.state
        if fault.blame is Blame.ROUTE:
            live.breaks_midway = fault.midway
            live.health.failed(fault.reason, last=self._is_last(live))
        elif fault.blame is Blame.BUSY:
            live.health.busy_for(fault.wait)
        elif fault.blame is Blame.SETUP:
            live.health.misconfigured(fault.reason)
        if live.health.state != before:
            log.warning("route %s is out: %s", live.route.name, fault.reason)

    def slow(self, live: LiveRoute) -> None:
        """It kept a reader waiting far longer than it usually does."""
        self.note(live, Faults(live.route, live.model).slow())

    def succeeded(self, live: LiveRoute, began: float) -> None:
        """An answer came to its end, to a question of the time ``began``."""
        live.answered += 1
        if not live.health.admitted and began > live.health.failed_at:
            live.readmitted()
        live.health.succeeded()

    def statuses(self) -> tuple[RouteStatus, ...]:
        """Every route as it is now; from any thread."""
        return tuple(live.status() for live in self.routes)

    def close(self) -> None:
        """No more probes. Answers under way go on."""
        self._prober.stop()

    def _is_last(self, live: LiveRoute) -> bool:
        return not any(other.health.admitted for other in self.routes if other is not live)
