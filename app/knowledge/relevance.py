"""Whether a passage is about a question, on one scale for every collection, embedding model and language.

Meaning counts from what unrelated sentences of the collection have in common (0) to what neighbours have (1). Words
count by the share of the question's that a passage holds (evidence.py), and by how far that share is above the third
best document's: what several documents have is no sign that one of them answers. At 1 on the resulting scale there is
the border: on questions asked of collections that hold their answer and of others, it let one foreign question in ten
through and refused one right one in a hundred, or one in twenty-five by words alone (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

from app.knowledge.calibration import Calibration
from app.knowledge.understanding import Understanding

_MEANING, _WORDS = 0.88, 4.4  # what meaning and the keywords' evidence count
# Where meaning tells nothing: how far above chance the keywords' evidence must be, and the most that is asked of it.
_OVER_CHANCE = 0.75
_OVER_OVERLAP = 0.7
_ENOUGH = 0.22
_NARROW = 0.5  # of the usual distance between unrelated and related
_NEIGHBOURS = 1.25  # how much nearer a neighbouring sentence is than the answer to a question


@dataclass(frozen=True)
class Scale:
    """How to read similarity and keyword scores in one collection, with one embedding model, in one language."""

    calibration: Calibration
    understanding: Understanding

    def meaning(self, similarity: float) -> float:
        """A cosine on the scale from unrelated (0) to neighbouring (1) sentences."""
        usual = _NEIGHBOURS * (self.understanding.related - self.understanding.unrelated)
        low, high = self.calibration.unrelated, self.calibration.related
        if low is None or high is None or high - low < _NARROW * usual:  # of odd texts nothing can be learned
            low, high = self.understanding.unrelated, self.understanding.unrelated + usual
        return max(0.0, (similarity - low) / max(high - low, 0.05))

    def relevance(self, similarity: float, share: float, elsewhere: float, words: int) -> float:
        """From 0 upwards, 1 is the border.

        Args:
            similarity: the best cosine of the question with a sentence of the passage.
            share: of the question's words that the passage holds (evidence.py), and
            elsewhere: the third best document's.
            words: of the question.
        """
        trust = self.understanding.trust
        evidence = (share + max(0.0, share - elsewhere)) / 2
        by_words = evidence / self._border(words)
        return trust * (_MEANING * self.meaning(similarity) + _WORDS * evidence) + (1 - trust) * by_words

    def _border(self, words: int) -> float:
        chance = _OVER_CHANCE * self.calibration.by_chance(words)
        overlap = _OVER_OVERLAP * self.calibration.overlap
        return min(_ENOUGH, max(chance, overlap)) or _ENOUGH


def least(strictness: float) -> float:
    """The relevance that is enough at a ``strictness`` (0 to 1, 0.5 by default)."""
    return 2 * strictness


def is_relevant(value: float, strictness: float) -> bool:
    """Whether ``value`` is over the border that ``strictness`` sets."""
    return value >= least(strictness)


def as_score(value: float) -> float:
    """A relevance from 0 to 1, in which the default border is at one half."""
    return value / (1 + value)


def scores(relevance: float, ranked: Sequence[float]) -> list[float]:
    """What passages are told to score: the first the relevance of all, those after it less by their distance."""
    return [as_score(relevance) * exp(min(0.0, value - ranked[0])) for value in ranked]
