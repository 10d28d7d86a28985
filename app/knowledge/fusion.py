"""Makes one ranking of three: similarity of chunks, of single sentences, and BM25, each by how far it stands out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from statistics import fmean, pstdev

Scores = Mapping[int, float]
_FEW = 20
# What the chunk's, its best sentence's and the words' scores count (docs/log.md).
_DENSE, _SENTENCES, _KEYWORDS = 1.0, 0.7, 1.3


def fuse(dense: Scores, sentences: Scores, keywords: Scores, *, trust: float) -> dict[int, float]:
    """Scores of all candidates of either leg; higher is better.

    The scores are standardised over the candidates (mean 0, deviation 1), which keeps what ranks throw away: whether
    the first stands far out or hardly. A candidate that a leg did not return has that leg's lowest score.
    Few candidates cannot tell a large lead from a small one (of two, each is one deviation from their mean); they are
    filled up with chunks that hold no word of the question, whose BM25 is 0.
    ``trust`` (0 to 1) is how far meaning is believed; at 0 the keywords decide alone, unless they are silent.
    ``sentences`` are the best cosines of the candidates' sentences. A candidate that is not embedded at all, for its
    language, has none, and counts as the middle of both.
    """
    candidates = list(dict.fromkeys([*keywords, *dense]))
    if not keywords:
        trust = 1.0
    parts = [
        (_DENSE * trust, _embedded(candidates, dense, dense.keys() | sentences.keys())),
        (_SENTENCES * trust, _embedded(candidates, sentences, sentences.keys())),
        (_KEYWORDS, _standardised(candidates, keywords, others=max(0, _FEW - len(candidates)))),
    ]
    whole = sum(weight for weight, _ in parts)
    return {
        item: sum(weight * values[index] for weight, values in parts) / whole for index, item in enumerate(candidates)
    }


def _embedded(candidates: Sequence[int], scores: Scores, embedded: Set[int]) -> list[float]:
    known = [item for item in candidates if item in embedded]
    values = dict(zip(known, _standardised(known, scores), strict=True))
    return [values.get(item, 0.0) for item in candidates]


def _standardised(candidates: Sequence[int], scores: Scores, others: int = 0) -> list[float]:
    """``others``: so many chunks that score 0 are counted in, and what the leg did not return scores 0 too."""
    if not scores or not candidates:
        return [0.0] * len(candidates)
    lowest, highest = min(scores.values()), max(scores.values())
    missing = 0.0 if others else lowest
    if missing == highest:  # hits that are all alike, as a single one is, are still told from what was not found
        missing -= 1
    values = [scores.get(item, missing) for item in candidates]
    sample = values + [0.0] * others
    mean, deviation = fmean(sample), pstdev(sample)
    return [(value - mean) / deviation if deviation > 1e-9 else 0.0 for value in values]
