"""What an embedding model understands is measured, not looked up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from app.knowledge.embedder import Embedder
from app.knowledge.understanding import _PAIRS, understanding
from app.text import language, terms
from tests.knowledge.parts import WordEmbedder


def test_the_packaged_model_understands_english_and_no_chinese(embedder: Embedder) -> None:
    english, chinese = understanding(embedder, "en"), understanding(embedder, "zh")

    assert english.trust > 0.9
    assert english.related > english.unrelated + 0.2
    assert chinese.trust == 0.0


def test_a_bag_of_words_understands_nothing() -> None:
    """The pairs share almost no words, so that only meaning can pair them."""
    plain = WordEmbedder(cheats=False)

    assert understanding(plain, "en").trust < 0.3
    assert understanding(plain, "zh").trust < 0.3
    assert understanding(WordEmbedder(), "en").trust == understanding(WordEmbedder(), "zh").trust == 1.0


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


@pytest.mark.parametrize(("known", "trust"), [(16, 1.0), (12, 0.5), (8, 0.0), (0, 0.0)])
def test_it_goes_from_nothing_to_one(known: int, trust: float) -> None:
    assert understanding(Knowing(known), "zh").trust == trust


def test_the_usual_cosines_are_those_of_own_and_other_answers() -> None:
    """Of 16 x 15 pairs that do not belong together, four are taken for ones that do."""
    everything, most = understanding(Knowing(16), "zh"), understanding(Knowing(12), "zh")

    assert (everything.unrelated, everything.related) == (0.0, 1.0)
    assert most.unrelated == pytest.approx(4 / 240)
    assert most.related == 1.0
    assert understanding(Knowing(0), "zh").related == 0.0


def test_the_pairs_are_in_their_language_and_share_hardly_a_word() -> None:
    for name, pairs in _PAIRS.items():
        assert len(pairs) == 16
        assert all(language(text) == name for pair in pairs for text in pair)
        shared = [set(terms(question)) & set(terms(answer)) for question, answer in pairs]
        assert sum(map(len, shared)) <= 4
