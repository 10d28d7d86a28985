"""Two runs over the same questions, side by side, and whether their difference is more than chance."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.evaluation.report import FALSE_REFUSALS, METRICS, MRR, Record, Run, in_both

ALPHA = 0.05
"""Differences that chance would make less often than this are called more than chance."""
_EXACT = 14  # differences whose signs are tried in every combination
_DRAWS = 10_000
_SAME = 1e-9


@dataclass(frozen=True)
class Difference:
    """One metric in both runs, over the questions of both; ``p``: how often chance alone makes as large a one."""

    one: float
    other: float
    difference: float
    p: float
    n: int

    @property
    def real(self) -> bool:
        """Whether it is more than chance."""
        return self.p < ALPHA


@dataclass(frozen=True)
class Changed:
    """A question whose first hit moved; a rank is None past the tenth."""

    id: str
    question: str
    one: int | None
    other: int | None


@dataclass(frozen=True)
class Comparison:
    """``other`` against ``one``: ``won`` and ``lost`` are the questions that it answers earlier, and later."""

    differences: dict[str, Difference]
    won: tuple[Changed, ...]
    lost: tuple[Changed, ...]
    common: int

    def better(self, metric: str) -> bool | None:
        """Whether the other run is better by more than chance; None where that cannot be said."""
        found = self.differences.get(metric)
        if found is None or not found.real:
            return None
        return (found.difference > 0) != (metric == FALSE_REFUSALS)

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        from app.evaluation.words import verdict

        return {
            "common": self.common,
            "verdict": verdict(self, "en"),
            "metrics": {
                name: {**asdict(found), "more_than_chance": found.real} for name, found in self.differences.items()
            },
            "won": [asdict(changed) for changed in self.won],
            "lost": [asdict(changed) for changed in self.lost],
        }


def compare(one: Run, other: Run) -> Comparison:
    """What changed from ``one`` to ``other``, over the questions that were asked in both."""
    pairs = in_both(one.records, other.records)
    differences = {}
    for name in METRICS:
        values = [
            (mine, theirs)
            for a, b in pairs
            if (mine := a.value(name)) is not None and (theirs := b.value(name)) is not None
        ]
        if values:
            differences[name] = _difference(values)
    moved = [(a, b) for a, b in pairs if a.rank != b.rank]
    return Comparison(
        differences,
        tuple(_changed(a, b) for a, b in moved if (b.value(MRR) or 0) > (a.value(MRR) or 0)),
        tuple(_changed(a, b) for a, b in moved if (b.value(MRR) or 0) < (a.value(MRR) or 0)),
        len(pairs),
    )


def _changed(a: Record, b: Record) -> Changed:
    return Changed(a.question.id, a.question.question, a.rank, b.rank)


def _difference(values: Sequence[tuple[float, float]]) -> Difference:
    n = len(values)
    one, other = (sum(side) / n for side in zip(*values, strict=True))
    return Difference(one, other, other - one, chance([b - a for a, b in values]), n)


def chance(differences: Sequence[float]) -> float:
    """How often chance makes as large a sum of paired differences, in either direction: the p of a sign-flip test.

    If the two settings were equally good, each difference could as well have had the other sign. Exact where all are
    of one size (which is the sign test) or few, else estimated from 10,000 seeded draws.
    """
    sizes = [abs(value) for value in differences if abs(value) > _SAME]
    if not sizes:
        return 1.0
    seen = abs(sum(differences)) - _SAME
    if max(sizes) - min(sizes) < _SAME:
        return _sign_test(sum(value > _SAME for value in differences), len(sizes))
    if len(sizes) <= _EXACT:
        sums = [0.0]
        for size in sizes:
            sums = [total + signed for total in sums for signed in (size, -size)]
        return sum(abs(total) >= seen for total in sums) / len(sums)
    draw = random.Random(0)
    whole = sum(sizes)
    extreme = 0
    for _ in range(_DRAWS):
        bits = draw.getrandbits(len(sizes))
        flipped = sum(size for index, size in enumerate(sizes) if bits >> index & 1)
        extreme += abs(whole - 2 * flipped) >= seen
    return (extreme + 1) / (_DRAWS + 1)


def _sign_test(wins: int, total: int) -> float:
    """Two-sided: of ``total`` fair coins, as many or as few heads as ``wins``."""
    fewer = min(wins, total - wins)
    tail = sum(math.comb(total, heads) for heads in range(fewer + 1)) / (1 << total)
    return min(1.0, 2 * tail)
