"""Makes one ranking of two: dense similarity and BM25, each by how far it stands out among the candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev

Scores = Mapping[int, float]


def fuse(dense: Scores, keywords: Scores, *, trust: float) -> dict[int, float]:
    """Scores of all candidates of either leg; higher is better.

    The scores of a leg are standardised over the candidates (mean 0, deviation 1), which keeps what ranks throw away:
    whether the first stands far out or hardly. A candidate that a leg did not return has that leg's lowest score.
    ``trust`` (0 to 1) is how far the dense leg is believed; at 0 the keywords decide alone, unless they are silent.
    """
    candidates = list(dict.fromkeys([*keywords, *dense]))
    share = 0.5 * trust if keywords else 1.0
    from_dense = _standardised(candidates, dense)
    from_keywords = _standardised(candidates, keywords)
    return {item: share * a + (1 - share) * b for item, a, b in zip(candidates, from_dense, from_keywords, strict=True)}


def _standardised(candidates: Sequence[int], scores: Scores) -> list[float]:
    if not scores:
        return [0.0] * len(candidates)
    lowest = min(scores.values())
    values = [scores.get(item, lowest) for item in candidates]
    mean, deviation = fmean(values), pstdev(values)
    return [(value - mean) / deviation if deviation > 1e-9 else 0.0 for value in values]
