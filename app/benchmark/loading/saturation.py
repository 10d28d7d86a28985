"""Whether a server kept up with what came."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import linear_regression, median

from app.benchmark.sample import Sample

FEWEST = 20
"""Requests below which nothing is said: a few that came together look like a line."""
_BUSY = ("http_429", "http_503")
_REFUSED = 0.05  # share of requests sent away as too many
_UNANSWERED = 0.05  # share of what comes that is left over
_GROWTH = 1.25  # from the second quarter to the last
_LAG_SHARE, _LEAST_LAG = 0.05, 0.001
"""Sending kept up where its lag is under 5 % of the first token's median; no loop of events keeps a millisecond."""


def over_saturated(samples: Sequence[Sample], in_flight: Sequence[tuple[float, int]]) -> str:
    """Why the server did not keep up, in plain words; empty where it did, or where that cannot be told.

    It did not where answers under way and the first token (or the whole answer, each from when the prompt was due)
    rise over the run, from quarter to quarter and by their slopes, and by more than chance would have it; or where it
    sends prompts away as busy. ``in_flight``: at each sending, (seconds, answers under way).
    """
    if len(samples) < FEWEST:
        return ""
    busy = sum(sample.kind in _BUSY for sample in samples)
    if busy > _REFUSED * len(samples):
        return f"the server sent {busy} of {len(samples)} prompts away as too many"
    flights = [(when, float(count)) for when, count in in_flight if when >= samples[0].scheduled]
    firsts = [(sample.scheduled, sample.first - sample.scheduled) for sample in samples if sample.first is not None]
    wholes = [(sample.scheduled, sample.latency) for sample in samples if sample.ok]
    what, waited = ("first token", firsts) if _rises(firsts) else ("whole answer", wholes)
    if not (_rises(flights) and _rises(waited)):
        return ""
    lines, waits = _quarters(flights), _quarters(waited)
    half = len(flights) / 2  # what came between the middles of the second and the last quarter
    if lines[3] - lines[1] < max(_UNANSWERED * half, math.sqrt(half)):
        return ""  # as much comes and goes by chance: of so many arrivals that is the deviation of a Poisson process
    return (
        f"answers under way rose from {lines[1]:.0f} to {lines[3]:.0f} and the {what} from"
        f" {waits[1] * 1000:.0f} to {waits[3] * 1000:.0f} ms while prompts came"
    )


def lag_valid(lag_p99: float | None, ttft_median: float | None) -> bool:
    """Whether sending kept up (seconds), so that the figures are the server's and not the client's."""
    if lag_p99 is None or ttft_median is None:
        return True
    return lag_p99 <= max(_LAG_SHARE * ttft_median, _LEAST_LAG)


def _rises(points: Sequence[tuple[float, float]]) -> bool:
    if len(points) < FEWEST // 2 or points[0][0] == points[-1][0]:
        return False
    slope, _ = linear_regression(*zip(*points, strict=True))
    _, second, third, last = _quarters(points)
    return slope > 0 and second <= third <= last and last >= _GROWTH * second


def _quarters(points: Sequence[tuple[float, float]]) -> list[float]:
    """The medians of y in the four quarters of the points."""
    cuts = [len(points) * part // 4 for part in range(5)]
    return [median(y for _, y in points[low:high]) for low, high in pairwise(cuts)]
