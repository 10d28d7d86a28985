"""What holds for fused scores, whatever the scores of the two legs are."""

from __future__ import annotations

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


@given(scores, hits, trusts)
def test_every_candidate_of_either_leg_has_a_score(
    dense: dict[int, float], words: dict[int, float], trust: float
) -> None:
    assert fuse(dense, words, trust=trust).keys() == dense.keys() | words.keys()


@given(scores, hits.filter(bool))
def test_an_unbelieved_leg_leaves_the_keywords_ranking_as_it_is(
    dense: dict[int, float], words: dict[int, float]
) -> None:
    fused = fuse(dense, words, trust=0.0)

    assert [item for item in ranking(fused) if item in words] == ranking(words)
    worst = min(fused[item] for item in words)
    assert all(fused[item] <= worst + 1e-9 for item in dense.keys() - words.keys())


@given(scores)
def test_where_the_words_are_silent_meaning_decides_alone(dense: dict[int, float]) -> None:
    for trust in (0.0, 1.0):
        assert ranking(fuse(dense, {}, trust=trust)) == ranking(dense)


@given(hits, trusts)
def test_where_meaning_is_silent_the_words_decide_alone(words: dict[int, float], trust: float) -> None:
    assert ranking(fuse({}, words, trust=trust)) == ranking(words)


@given(scores, hits, trusts, st.sampled_from([0.5, 3.0, 100.0]), st.sampled_from([-5.0, 0.0, 2.0]))
def test_the_scale_of_a_leg_does_not_matter_nor_the_zero_of_similarity(
    dense: dict[int, float], words: dict[int, float], trust: float, factor: float, offset: float
) -> None:
    plain = fuse(dense, words, trust=trust)
    scaled = fuse(dense, {item: score * factor for item, score in words.items()}, trust=trust)
    moved = fuse({item: score * factor + offset for item, score in dense.items()}, words, trust=trust)

    assert scaled == pytest.approx(plain, abs=1e-6)
    assert moved == pytest.approx(plain, abs=1e-6)


@given(scores, hits, trusts)
def test_what_both_legs_put_first_is_first(dense: dict[int, float], words: dict[int, float], trust: float) -> None:
    fused = fuse({**dense, 99: 2.0}, {**words, 99: 50.0}, trust=trust)

    assert ranking(fused)[0] == 99


def test_the_only_chunk_that_holds_a_word_is_told_from_the_rest() -> None:
    dense = {item: 0.5 - item / 1000 for item in range(20)}

    assert ranking(fuse(dense, {7: 4.2}, trust=1.0))[0] == 7


def test_a_score_that_stands_far_out_beats_one_that_hardly_leads() -> None:
    """Ranks would call it a draw."""
    dense = {1: 0.51, 2: 0.50, 3: 0.49, 4: 0.48}
    words = {2: 20.0, 1: 3.0, 3: 2.0, 4: 1.0}

    assert ranking(fuse(dense, words, trust=1.0))[0] == 2


def test_of_a_few_hits_a_small_lead_stays_small() -> None:
    """Two hits are always one deviation above and below their mean, however close they are."""
    close = fuse({}, {1: 2.0, 2: 1.9}, trust=0.0)
    apart = fuse({}, {1: 2.0, 2: 0.2}, trust=0.0)

    assert 0 < close[1] - close[2] < 0.5 < apart[1] - apart[2]


@pytest.mark.parametrize("trust", [0.0, 1.0])
def test_equal_scores_and_single_candidates_are_no_problem(trust: float) -> None:
    one, two = fuse({1: 0.3}, {1: 7.0}, trust=trust), fuse({1: 0.3, 2: 0.3}, {1: 7.0, 2: 7.0}, trust=trust)

    assert list(one) == [1]
    assert two[1] == two[2]
    assert fuse({}, {}, trust=trust) == {}
