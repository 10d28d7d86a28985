"""Whether a route may be asked: a circuit breaker that is quick to open, quick to close, and slow to trust a flapper.

States: ``in``; ``out`` after failures, until a probe succeeds; ``misconfigured`` until a probe succeeds. A busy route
stays ``in`` and is passed over for a while. Times are seconds of one monotonic clock.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

State = Literal["in", "out", "misconfigured"]

FAILURES = 2
"""In a row, after which a route is out. Replicas are few: statistics would need more of them."""
FIRST_OUT, LONGEST_OUT = 1.0, 30.0
"""How long it is left alone before the first probe. Doubled for a route that comes back and fails again, and only for
that: while it is simply down, waiting longer would only find its recovery later."""
FLAPPING = 30.0
"""A route that is out again within this time of its return flaps."""
PROBE_AGAIN, PROBE_SETUP = 1.0, 5.0
"""Between two probes of a route that is out, and of one that is misconfigured."""
SLOW_START = 10.0
"""How long a returned route takes to its full weight."""
LEAST_SHARE = 0.1
BUSY = 1.0
"""How long a busy route is passed over that does not say how long."""


class Health:
    """One route's state. ``now`` is the clock, ``jitter`` a number from 0 to 1."""

    def __init__(self, now: Callable[[], float], jitter: Callable[[], float] = random.random) -> None:
        self._now, self._jitter = now, jitter
        self.state: State = "in"
        self.reason = ""
        self.since: float | None = None
        """When it left, or came back last; None while it has always been in."""
        self.failed_at = float("-inf")
        self.failures = 0
        self.ejections = 0
        self._busy_until = float("-inf")
        self._next_probe = 0.0
        self._flaps = 0

    @property
    def admitted(self) -> bool:
        """Whether questions go to it."""
        return self.state == "in"

    @property
    def failing(self) -> bool:
        """Whether it would be out if it were not the last one."""
        return self.failures >= FAILURES

    @property
    def busy(self) -> bool:
        """Whether it said just now that it has too much to do."""
        return self._now() < self._busy_until

    @property
    def share(self) -> float:
        """What of its weight counts now, LEAST_SHARE to 1: a cold cache is not met with a full load."""
        if not self.admitted:
            return 0.0
        if self.since is None:
            return 1.0
        return min(1.0, max(LEAST_SHARE, (self._now() - self.since) / SLOW_START))

    @property
    def probe_due(self) -> bool:
        """Whether a route that does not get questions is to be tried."""
        return not self.admitted and self._now() >= self._next_probe

    def succeeded(self) -> None:
        """An answer came to its end. One that began before the route went out proves nothing about now."""
        if self.admitted:
            self.failures, self.reason = 0, ""

    def failed(self, reason: str, *, last: bool = False) -> None:
        """An answer or a probe failed. The ``last`` route that is in stays in, whatever it does."""
        self.failed_at, self.reason = self._now(), reason
        if not self.admitted:
            return
        self.failures += 1
        if self.failing and not last:
            self._eject()

    def busy_for(self, seconds: float | None) -> None:
        """It has too much to do; ``seconds`` where it says for how long. That is no failure."""
        self._busy_until = self._now() + (BUSY if seconds is None else max(seconds, 0.0))

    def misconfigured(self, reason: str) -> None:
        """It will refuse every question before somebody corrects something."""
        if self.state != "misconfigured":
            self.state, self.since = "misconfigured", self._now()
        self.failed_at, self.reason = self._now(), reason
        self._next_probe = self._now() + PROBE_SETUP

    def probed(self) -> None:
        """A probe begins. The next one does not wait for its end: while one hangs, a recovery would go unseen."""
        self._next_probe = self._now() + (PROBE_SETUP if self.state == "misconfigured" else PROBE_AGAIN)

    def probe_failed(self, reason: str) -> None:
        """The probe of a route that is out."""
        self.failed_at, self.reason = self._now(), reason

    def readmitted(self) -> None:
        """The probe of a route that is out succeeded: it is in, with a small share at first."""
        if self.admitted:
            return
        self.state, self.since, self.reason = "in", self._now(), ""
        self.failures = 0
        self._busy_until = float("-inf")

    def _eject(self) -> None:
        flaps = self.ejections > 0 and self.since is not None and self._now() - self.since < FLAPPING
        self._flaps = self._flaps + 1 if flaps else 0
        alone = min(LONGEST_OUT, FIRST_OUT * 2.0**self._flaps) * (0.9 + 0.2 * self._jitter())
        self.state, self.since = "out", self._now()
        self.ejections += 1
        self._next_probe = self._now() + min(alone, LONGEST_OUT)
