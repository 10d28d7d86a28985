"""Whether a collection holds anything about a question: the best meaning plus the share of its words that are there."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

# Found on questions asked of collections that hold their answer and of others (docs/log.md): at 0.53 about one in
# twenty foreign questions passes and one in fifty of the right ones does not.
_BORDER = 0.53
# What an unbelieved dense leg leaves to the words alone: for Chinese with an English-only model.
_WORDS_ALONE = 0.6


def relevance(similarity: float, coverage: float, *, trust: float) -> float:
    """From 0 upwards; ``similarity`` is the best cosine, ``coverage`` 0 to 1, ``trust`` as in fusion."""
    return trust * max(similarity, 0.0) + ((1 - trust) * _WORDS_ALONE + 0.5) * coverage


def is_relevant(value: float, strictness: float) -> bool:
    """Whether ``value`` is over the border that ``strictness`` (0 to 1, 0.5 by default) sets."""
    return value >= 2 * strictness * _BORDER


def coverage(
    words: Collection[str], passages: Iterable[Collection[str]], frequencies: Mapping[str, int], size: int
) -> float:
    """The share of the question's ``words`` that one passage holds, the rarer the word the heavier; the best passage's.

    Weights are BM25's inverse document frequencies over ``size`` chunks, so that a word the collection has never seen
    weighs most.
    """
    weights = {word: math.log(1 + (size - frequencies[word] + 0.5) / (frequencies[word] + 0.5)) for word in set(words)}
    total = sum(weights.values())
    if not total:
        return 0.0
    return max((sum(weights[word] for word in weights.keys() & set(held)) / total for held in passages), default=0.0)
