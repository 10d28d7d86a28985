"""Figures out of many values: percentiles, and the spread of repeats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

MOST_TIMES = 1000.0
"""The bounds of how many times something is lie no further apart than from a thousandth to this."""
P95_AT_LEAST, P99_AT_LEAST = 20, 100
"""How many values a percentile wants: of fewer, it is the largest one by another name."""
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Student's t for a two-sided 95 % interval, with 1, 2, … degrees of freedom; beyond them the normal's 1.96."""


@dataclass(frozen=True)
class Distribution:
    """Of ``n`` values; all None where there are none, ``p95`` and ``p99`` also where there are too few."""

    n: int = 0
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    median: float | None = None
    p95: float | None = None
    p99: float | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> Distribution:
        """Of ``values`` in any order."""
        if not values:
            return cls()
        ordered = sorted(values)
        n = len(ordered)
        return cls(
            n, ordered[0], ordered[-1], sum(ordered) / n, percentile(ordered, 50),
            percentile(ordered, 95) if n >= P95_AT_LEAST else None,
            percentile(ordered, 99) if n >= P99_AT_LEAST else None,
        )  # fmt: skip

    @classmethod
    def ms(cls, seconds: Sequence[float | None]) -> Distribution:
        """Of times in seconds, in milliseconds; None is left out."""
        return cls.of([value * 1000 for value in seconds if value is not None])

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        return {name: value if name == "n" else _rounded(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Distribution:
        """The inverse of :meth:`as_dict`."""
        return cls(**data)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Of sorted values, interpolated linearly between the nearest two (numpy's default, too)."""
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(frozen=True)
class Spread:
    """The mean of repeats and its 95 % interval (Student's t); a single repeat has none."""

    mean: float
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Of the repeats' values; None where there are none."""
        if not values:
            return None
        n, mean = len(values), sum(values) / len(values)
        if n == 1:
            return cls(mean, None, None, 1)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
        half = (_T[n - 2] if n - 2 < len(_T) else 1.96) * deviation / math.sqrt(n)
        return cls(mean, mean - half, mean + half, n)

    @classmethod
    def of_ratios(cls, values: Sequence[float]) -> Spread | None:
        """Of how many times something is, repeat by repeat: the same by logarithms, so that no bound is below 0.

        Half as fast is then as far from 1 as twice as fast, whichever of two is named first. Values are above 0.
        """
        found = cls.of([math.log(value) for value in values])
        if found is None:
            return None
        low, high = (None if bound is None else _exp(bound) for bound in (found.low, found.high))
        return cls(_exp(found.mean), low, high, found.n)

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        return {"mean": _rounded(self.mean), "low": _rounded(self.low), "high": _rounded(self.high), "n": self.n}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Spread:
        """The inverse of :meth:`as_dict`."""
        return cls(**data)


def _exp(value: float) -> float:
    """Two repeats far apart would have bounds beyond all numbers."""
    return min(max(math.exp(min(value, 10.0)), 1 / MOST_TIMES), MOST_TIMES)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
