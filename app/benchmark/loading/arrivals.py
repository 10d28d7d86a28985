"""When prompts come in an open loop: times made beforehand, so that a slow server does not slow them down."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from app.errors import BenchmarkError

Process = Literal["poisson", "constant", "bursty"]
PROCESSES: tuple[Process, ...] = get_args(Process)
BURSTINESS = 0.25
"""Of ``bursty`` unless another is given."""
MOST = 1_000_000
"""Arrivals in one run."""


@dataclass(frozen=True)
class Schedule:
    """``rate`` prompts a second, on the average. ``process``: how they come.

    ``poisson``: independently of each other, as from many people. ``constant``: at equal distances. ``bursty``:
    distances of a gamma distribution with the shape ``burstiness``; under 1 they come in bursts, 1 is Poisson.
    (The same as ``--burstiness`` of vLLM's benchmark.) The same ``seed`` gives the same times.
    """

    rate: float
    process: Process = "poisson"
    seed: int = 0
    burstiness: float = BURSTINESS

    def times(self, duration: float | None, count: int | None) -> list[float]:
        """Ascending seconds: all below ``duration``, at most ``count``; one of the two may be None.

        Raises:
            BenchmarkError: rate, duration, count or burstiness are such that nothing, or far too much, would come.
        """
        self._check(duration, count)
        found: list[float] = []
        for when in self._endless():
            if (duration is not None and when >= duration) or len(found) == count:
                return found
            found.append(when)
        return found

    def _endless(self) -> Iterator[float]:
        if self.process == "constant":
            number = 0
            while True:
                yield number / self.rate  # and not a sum, whose errors would add up
                number += 1
        lot = random.Random(self.seed)
        shape = 1.0 if self.process == "poisson" else self.burstiness
        when = 0.0
        while True:
            when += lot.gammavariate(shape, 1 / (self.rate * shape))
            yield when

    def _check(self, duration: float | None, count: int | None) -> None:
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise BenchmarkError(f"{self.rate:g} prompts a second are none.", "Give a rate above 0, such as 2.")
        if duration is None and count is None:
            raise BenchmarkError("The arrivals have no end.", "Give a duration, or a number of prompts.")
        if duration is not None and not (math.isfinite(duration) and duration > 0):
            raise BenchmarkError(f"A duration of {duration:g} seconds is none.", "Give one above 0, such as 30.")
        if count is not None and count < 1:
            raise BenchmarkError(f"{count} prompts are none.", "Give 1 at least.")
        if self.process == "bursty" and not (math.isfinite(self.burstiness) and self.burstiness > 0):
            raise BenchmarkError(f"A burstiness of {self.burstiness:g} is none.", "Give one above 0, such as 0.25.")
        expected = min(self.rate * duration if duration is not None else math.inf, count or math.inf)
        if expected > MOST:
            raise BenchmarkError(
                f"{expected:,.0f} prompts are too many for one run.",
                f"Ask for {MOST:,} at most: lower rate or duration.",
            )


def rescaled(times: list[float], rate: float) -> list[float]:
    """Recorded ``times`` at ``rate`` prompts a second on the average, their pattern kept.

    Raises:
        BenchmarkError: they have no rate, or ``rate`` is none.
    """
    if not (math.isfinite(rate) and rate > 0):
        raise BenchmarkError(f"{rate:g} prompts a second are none.", "Give a rate above 0, such as 2.")
    if len(times) < 2 or times[-1] <= times[0]:
        raise BenchmarkError("The recording has no rate to change: all comes at once.", "Leave --rate out.")
    factor = (len(times) - 1) / (times[-1] - times[0]) / rate
    return [(when - times[0]) * factor for when in times]
