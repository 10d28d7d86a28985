"""How much of a question's words a text holds: what relevance knows of words.

Not the keyword score itself, whose scale moves with the lengths of other chunks: a glossary of short entries would
make every other document look poor.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from app.knowledge.keywords import K1, PAIRS, KeywordIndex
from app.text import pairs, terms

_FEWEST = 50  # chunks that are assumed at least: among four, a word that is found would weigh next to nothing


class Question:
    """The ``words`` (their number) and pairs of a question, each as heavy as it is rare in a collection."""

    def __init__(self, keywords: KeywordIndex, words: Sequence[str], couples: Sequence[str]) -> None:
        self.words = len(words)
        size, holding, holding_pairs = keywords.frequencies(words, couples)
        self._words = _weights(words, holding, size, 1.0)
        self._couples = _weights(couples, holding_pairs, size, PAIRS)
        self._whole = sum(self._words.values()) + sum(self._couples.values())

    def share(self, text: str) -> float:
        """From 0 (``text`` holds nothing of the question) to 1 (it holds everything, over and over)."""
        if not self._whole:
            return 0.0
        found = _held(self._words, terms(text))
        return (found + (_held(self._couples, pairs(text)) if self._couples else 0.0)) / self._whole


def _weights(asked: Sequence[str], holding: Mapping[str, int], size: int, part: float) -> dict[str, float]:
    """BM25's inverse document frequencies."""
    size = max(size, _FEWEST)
    return {
        term: part * count * math.log(1 + (size - holding[term] + 0.5) / (holding[term] + 0.5))
        for term, count in Counter(asked).items()
    }


def _held(weights: Mapping[str, float], text: Sequence[str]) -> float:
    """BM25 without regard to length, as a share of what a term can count at most."""
    counts = Counter(term for term in text if term in weights)
    return sum(weights[term] * count / (count + K1) for term, count in counts.items())
