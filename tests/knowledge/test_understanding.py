"""What an embedding model understands is measured, not looked up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.knowledge.embedder import Embedder
from app.knowledge.understanding import _PAIRS, understanding
from app.text import language, terms
from tests.knowledge.parts import WordEmbedder


def test_the_packaged_model_understands_english_and_no_chinese(embedder: Embedder) -> None:
    assert understanding(embedder, "en") > 0.9
    assert understanding(embedder, "zh") == 0.0


def test_a_bag_of_words_understands_nothing() -> None:
    """The pairs share almost no words, so that only meaning can pair them."""
    assert understanding(WordEmbedder(), "en") < 0.3
    assert understanding(WordEmbedder(), "zh") < 0.3


class Knowing(WordEmbedder):
    """Knows which answer belongs to which question, for so many of them."""

    def __init__(self, known: int) -> None:
        super().__init__()
        self.known = known

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        order = np.arange(len(texts))
        if texts[0] == _PAIRS["zh"][0][1]:
            order[self.known :] = np.roll(order[self.known :], 1)
        return np.eye(len(texts), dtype=np.float32)[order]


def test_it_goes_from_nothing_to_one() -> None:
    assert understanding(Knowing(16), "zh") == 1.0
    assert understanding(Knowing(12), "zh") == 0.5
    assert understanding(Knowing(8), "zh") == 0.0
    assert understanding(Knowing(0), "zh") == 0.0


def test_the_pairs_are_in_their_language_and_share_hardly_a_word() -> None:
    for name, pairs in _PAIRS.items():
        assert len(pairs) == 16
        assert all(language(text) == name for pair in pairs for text in pair)
        shared = [set(terms(question)) & set(terms(answer)) for question, answer in pairs]
        assert sum(map(len, shared)) <= 4
