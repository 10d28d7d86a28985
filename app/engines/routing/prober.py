"""Real questions of one token, in the background, to routes that nobody asks: so that what is out comes back soon."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from app.engines.routing import learning
from app.engines.routing.faults import Blame, Fault
from app.engines.routing.live import LiveRoute

if TYPE_CHECKING:
    from app.engines.routing.router import Router

log = logging.getLogger(__name__)

TICK = 0.25
"""Seconds between two looks at who is due."""
REST = 600.0
"""Seconds without a question after which nothing is probed until the next one: a model at rest may stay at rest."""


class Prober:
    """Probes the routes of one router, where there are several; ends with it."""

    def __init__(self, router: Router, now: Callable[[], float]) -> None:
        self._router = weakref.ref(router)
        self._now = now
        self._asked_at = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def asked(self) -> None:
        """A question came: there is a reason to know. On the engines' loop."""
        self._asked_at = self._now()
        router = self._router()
        if router is None or len(router.routes) < 2 or self._stopped:
            return
        loop = asyncio.get_running_loop()
        if self._task is not None and self._task.get_loop() is not loop:  # this process was forked off
            self._task = None
            for live in router.routes:
                live.in_flight = 0
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())

    def stop(self) -> None:
        """From any thread."""
        self._stopped = True

    async def _run(self) -> None:
        probing: set[asyncio.Task[None]] = set()
        while not self._stopped and self._now() - self._asked_at < REST:
            router = self._router()
            if router is None:
                break
            for live in router.routes:
                if self._due(live, router.llm.probe):
                    live.probed_at = self._now()
                    live.health.probed()
                    probing.add(asyncio.get_running_loop().create_task(self._probe(router, live)))
            del router  # it may end while this waits
            await asyncio.sleep(TICK)
            probing = {task for task in probing if not task.done()}
        for task in probing:
            task.cancel()

    def _due(self, live: LiveRoute, interval: float) -> bool:
        if live.route.refusal:
            return False
        if not live.health.admitted:
            return live.health.probe_due
        # One that writes is alive; that a probe waits behind its readers would prove nothing.
        silent = self._now() - max(live.heard_at, live.probed_at) > interval
        return interval > 0 and silent and not live.in_flight and not live.health.busy

    async def _probe(self, router: Router, live: LiveRoute) -> None:
        was_in = live.health.admitted
        try:
            if not was_in:  # it may serve something else now; that it does not tell proves nothing
                with suppress(Fault):
                    await learning.learn(live)
            seconds = await learning.probe(live)
        except Fault as fault:
            self._failed(router, live, fault, was_in)
            return
        except Exception:  # the next probe is due soon; this one must not end the watch over the others
            log.exception("probing %s failed", live.route.name)
            return
        live.probed_at = self._now()
        if not was_in and live.health.admitted:
            return  # another probe was quicker
        if not was_in:
            live.readmitted()
        live.health.succeeded()
        if not live.breaks_midway:
            live.ttft.sample(seconds)
        if live.resumes is None:
            await learning.try_resume(live)

    @staticmethod
    def _failed(router: Router, live: LiveRoute, fault: Fault, was_in: bool) -> None:
        if was_in and live.health.admitted:
            router.note(live, fault)
        elif not live.health.admitted and fault.blame is not Blame.BUSY:
            live.health.probe_failed(fault.reason)
        elif not live.health.admitted:  # too busy to be asked now, and so alive
            live.readmitted()
            live.health.busy_for(fault.wait)
