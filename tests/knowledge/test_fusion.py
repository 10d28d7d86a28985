"""What holds for fused scores, whatever the scores of the three parts are."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.knowledge.fusion import fuse

# Scores that lie apart: nearer than this they are equal for any purpose of a search.
scores = st.dictionaries(st.integers(0, 60), st.integers(-100, 100).map(lambda number: number / 100), max_size=40)
hits = st.dictionaries(st.integers(0, 60), st.integers(1, 3000).map(lambda number: number / 100), max_size=40)
trusts = st.sampled_from([0.0, 0.25, 0.5, 1.0])


def ranking(fused: dict[int, float]) -> list[int]:
    return sorted(fused, key=lambda item: (-round(fused[item], 6), item))


@given(scores, scores, hits, trusts)
def test_every_candidate_of_either_leg_has_a_score(
    dense: dict[int, float], sentences: dict[int, float], words: dict[int, float], trust: float
) -> None:
    """Sentences are looked at in candidates alone."""
    assert fuse(dense, sentences, words, trust=trust).keys() == dense.keys() | words.keys()


@given(scores, scores, hits.filter(bool))
def test_unbelieved_meaning_leaves_the_keywords_ranking_as_it_is(
    dense: dict[int, float], sentences: dict[int, float], words: dict[int, float]
) -> None:
    fused = fuse(dense, sentences, words, trust=0.0)

    assert [item for item in ranking(fused) if item in words] == ranking(words)
    worst = min(fused[item] for item in words)
    assert all(fused[item] <= worst + 1e-9 for item in dense.keys() - words.keys())


@given(scores)
def test_where_the_words_are_silent_meaning_decides_alone(dense: dict[int, float]) -> None:
    for trust in (0.0, 1.0):
        assert ranking(fuse(dense, {}, {}, trust=trust)) == ranking(dense)
        assert ranking(fuse(dense, dense, {}, trust=trust)) == ranking(dense)


@given(hits, trusts)
def test_where_meaning_is_silent_the_words_decide_alone(words: dict[int, float], trust: float) -> None:
    assert ranking(fuse({}, {}, words, trust=trust)) == ranking(words)


@given(scores, scores, hits, trusts, st.sampled_from([0.5, 3.0, 100.0]), st.sampled_from([-5.0, 0.0, 2.0]))
def test_the_scale_of_a_part_does_not_matter_nor_the_zero_of_similarity(
    dense: dict[int, float],
    sentences: dict[int, float],
    words: dict[int, float],
    trust: float,
    factor: float,
    offset: float,
) -> None:
    plain = fuse(dense, sentences, words, trust=trust)
    scaled = fuse(dense, sentences, {item: score * factor for item, score in words.items()}, trust=trust)
    moved = fuse({item: score * factor + offset for item, score in dense.items()}, sentences, words, trust=trust)
    also = fuse(dense, {item: score * factor + offset for item, score in sentences.items()}, words, trust=trust)

    for other in (scaled, moved, also):
        assert other == pytest.approx(plain, abs=1e-6)


@given(scores, scores, hits, trusts, st.randoms())
def test_the_order_in_which_hits_come_does_not_matter(
    dense: dict[int, float], sentences: dict[int, float], words: dict[int, float], trust: float, lot: Random
) -> None:
    def shuffled(scores: dict[int, float]) -> dict[int, float]:
        return dict(lot.sample(list(scores.items()), len(scores)))

    plain = fuse(dense, sentences, words, trust=trust)
    again = fuse(shuffled(dense), shuffled(sentences), shuffled(words), trust=trust)

    assert again == pytest.approx(plain, abs=1e-9)


@given(scores, scores, hits, trusts)
def test_what_all_put_first_is_first(
    dense: dict[int, float], sentences: dict[int, float], words: dict[int, float], trust: float
) -> None:
    fused = fuse({**dense, 99: 2.0}, {**sentences, 99: 2.0}, {**words, 99: 50.0}, trust=trust)

    assert ranking(fused)[0] == 99


@given(scores, scores, hits.filter(bool), trusts, st.data())
def test_a_higher_score_by_words_never_lowers_a_rank(
    dense: dict[int, float], sentences: dict[int, float], words: dict[int, float], trust: float, data: st.DataObject
) -> None:
    """As long as it is neither the lowest score, which stands for those not found, nor above all others.

    What stands out alone stretches the scale for everyone: how far it leads has a limit, and comes down to it.
    """
    item = data.draw(st.sampled_from(sorted(words)))
    higher = data.draw(st.integers(0, 3000).map(lambda number: words[item] + number / 100).filter(lambda it: it <= 60))
    words |= {98: 0.005, 99: 60.0}
    before = fuse(dense, sentences, words, trust=trust)
    after = fuse(dense, sentences, {**words, item: higher}, trust=trust)

    assert after[item] >= before[item] - 1e-9
    overtaken = {other for other in before if before[other] < before[item] - 1e-6}
    assert all(after[other] < after[item] + 1e-9 for other in overtaken)


@given(scores, scores, hits.filter(bool), trusts, st.integers(1, 100_000), st.data())
def test_a_higher_score_by_words_never_lowers_the_score(
    dense: dict[int, float], sentences: dict[int, float], words: dict[int, float], trust: float, more: int,
    data: st.DataObject,
) -> None:  # fmt: skip
    item = data.draw(st.sampled_from(sorted(words)))
    words |= {98: 0.005, 99: 60.0}
    before = fuse(dense, sentences, words, trust=trust)
    after = fuse(dense, sentences, {**words, item: words[item] + more}, trust=trust)

    assert after[item] >= before[item] - 1e-9


def test_the_only_chunk_that_holds_a_word_is_told_from_the_rest() -> None:
    dense = {item: 0.5 - item / 1000 for item in range(20)}

    assert ranking(fuse(dense, {}, {7: 4.2}, trust=1.0))[0] == 7
    assert ranking(fuse(dense, dense, {7: 4.2}, trust=1.0))[0] == 7


def test_of_two_chunks_alike_the_one_with_the_nearer_sentence_is_first() -> None:
    assert ranking(fuse({1: 0.5, 2: 0.5, 3: 0.1}, {1: 0.3, 2: 0.6, 3: 0.2}, {}, trust=1.0))[0] == 2


def test_what_is_not_embedded_counts_as_the_middle() -> None:
    """A Chinese chunk that holds the error's code, beside English ones that do not, with an English model."""
    dense = {item: 0.5 - item / 100 for item in range(10)}

    assert ranking(fuse(dense, dense, {77: 4.2}, trust=1.0))[0] == 77


def test_a_score_that_stands_far_out_beats_one_that_hardly_leads() -> None:
    """Ranks would call it a draw."""
    dense = {1: 0.51, 2: 0.50, 3: 0.49, 4: 0.48}
    words = {2: 20.0, 1: 3.0, 3: 2.0, 4: 1.0}

    assert ranking(fuse(dense, {}, words, trust=1.0))[0] == 2


def test_of_a_few_hits_a_small_lead_stays_small() -> None:
    """Two hits are always one deviation above and below their mean, however close they are."""
    close = fuse({}, {}, {1: 2.0, 2: 1.9}, trust=0.0)
    apart = fuse({}, {}, {1: 2.0, 2: 0.2}, trust=0.0)

    assert 0 < close[1] - close[2] < 0.5 < apart[1] - apart[2]


@pytest.mark.parametrize("trust", [0.0, 1.0])
def test_equal_scores_and_single_candidates_are_no_problem(trust: float) -> None:
    one = fuse({1: 0.3}, {1: 0.4}, {1: 7.0}, trust=trust)
    two = fuse({1: 0.3, 2: 0.3}, {1: 0.4, 2: 0.4}, {1: 7.0, 2: 7.0}, trust=trust)

    assert list(one) == [1]
    assert two[1] == two[2]
    assert fuse({}, {}, {}, trust=trust) == {}
