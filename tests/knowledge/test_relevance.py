"""Whether a collection holds anything about a question, on one scale for all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.knowledge.calibration import LENGTHS, Calibration
from app.knowledge.relevance import _ENOUGH, _MEANING, Scale, as_score, is_relevant, scores
from app.knowledge.understanding import Understanding

unit = st.floats(0, 1)
cosines = st.floats(-1, 1)
trusts = st.sampled_from([0.0, 0.25, 0.5, 1.0])
calibrations = st.builds(
    Calibration,
    unrelated=st.one_of(st.none(), unit),
    related=st.one_of(st.none(), unit),
    overlap=unit,
    chance=st.one_of(st.just(()), st.lists(unit, min_size=len(LENGTHS), max_size=len(LENGTHS)).map(tuple)),
)
scales = st.builds(Scale, calibrations, st.builds(Understanding, trusts, unit, unit))
numbers = st.integers(0, 40)


@given(scales, cosines, cosines, unit, unit, unit, numbers)
def test_relevance_grows_with_both_and_is_never_negative(
    scale: Scale, similarity: float, more: float, share: float, further: float, elsewhere: float, words: int
) -> None:
    plain = scale.relevance(similarity, share, elsewhere, words)

    assert scale.relevance(max(similarity, more), share, elsewhere, words) >= plain >= 0
    assert scale.relevance(similarity, max(share, further), elsewhere, words) >= plain
    assert scale.relevance(similarity, share, min(elsewhere, further), words) >= plain


def test_what_several_documents_have_counts_half() -> None:
    scale = Scale(Calibration(), Understanding(0.5, 0.1, 0.5))

    alone, shared, more = (scale.relevance(0.0, 0.4, elsewhere, 4) for elsewhere in (0.0, 0.4, 0.9))
    assert alone == pytest.approx(2 * shared) and shared == more


def test_what_does_not_understand_a_language_has_no_say_in_it() -> None:
    scale = Scale(Calibration(), Understanding(0.0, 0.1, 0.5))

    assert scale.relevance(0.9, 0.4, 0.0, 4) == scale.relevance(-0.9, 0.4, 0.0, 4) > 1
    assert scale.relevance(1.0, 0.0, 0.0, 4) == 0


def test_meaning_is_told_from_what_unrelated_sentences_have_in_common() -> None:
    """0.5 is much where strangers have 0.1 in common, and nothing where they have 0.5."""
    understanding = Understanding(1.0, 0.0, 0.4)
    apart, alike = (
        Scale(Calibration(unrelated=unrelated, related=unrelated + 0.4), understanding) for unrelated in (0.1, 0.5)
    )

    assert apart.meaning(0.1) == 0 and apart.meaning(0.5) == pytest.approx(1)
    assert alike.meaning(0.5) == 0 and alike.meaning(0.9) == pytest.approx(1)
    assert apart.relevance(0.5, 0.0, 0.0, 4) == pytest.approx(_MEANING) and alike.relevance(0.5, 0.0, 0.0, 4) == 0


def test_where_too_little_is_measured_the_test_of_understanding_stands_in() -> None:
    scale = Scale(Calibration(), Understanding(1.0, 0.1, 0.5))

    assert scale.meaning(0.1) == 0
    assert scale.meaning(0.6) == pytest.approx(1)
    assert Scale(Calibration(unrelated=0.3), scale.understanding).meaning(0.6) == pytest.approx(1)


@given(unit, unit, cosines)
def test_a_collection_whose_sentences_are_all_the_same_divides_by_nothing(
    unrelated: float, related: float, similarity: float
) -> None:
    scale = Scale(Calibration(unrelated=unrelated, related=related), Understanding(1.0, 0.0, 0.0))

    assert 0 <= scale.meaning(similarity) <= 40


def test_words_alone_must_reach_more_where_chance_or_other_documents_reach_much() -> None:
    understanding = Understanding(0.0, 0.0, 0.0)
    nothing = Calibration(chance=(0.0,) * len(LENGTHS))
    border = {
        "nothing measured": Calibration(),
        "nothing by chance": nothing,
        "by chance": replace(nothing, chance=(0.1,) * len(LENGTHS)),
        "in others": replace(nothing, overlap=0.1),
        "often in others": replace(nothing, overlap=0.9),
    }
    found = {name: Scale(measured, understanding).relevance(0.0, 0.1, 0.0, 5) for name, measured in border.items()}

    assert (
        found["nothing measured"]
        == found["nothing by chance"]
        == found["often in others"]
        == pytest.approx(0.1 / _ENOUGH)
    )
    assert min(found["in others"], found["by chance"]) > found["nothing measured"]


@given(scales, unit, numbers)
def test_no_border_asks_for_more_than_enough_of_the_words(scale: Scale, similarity: float, words: int) -> None:
    deaf = replace(scale, understanding=replace(scale.understanding, trust=0.0))

    assert is_relevant(deaf.relevance(similarity, _ENOUGH, 0.0, words), 0.5)


@given(st.floats(0, 2))
def test_strictness_zero_lets_everything_pass_and_more_of_it_never_more(value: float) -> None:
    passed = [is_relevant(value, strictness) for strictness in (0.0, 0.25, 0.5, 0.75, 1.0)]

    assert passed[0]
    assert passed == sorted(passed, reverse=True)
    assert passed[2] == (value >= 1)


# what passages are told to score


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_score_is_from_0_to_1_with_the_border_at_one_half(value: float, other: float) -> None:
    assert 0 <= as_score(value) < 1
    assert (as_score(value) >= 0.5) == is_relevant(value, 0.5)
    assert (as_score(value) <= as_score(other)) or value > other


@given(st.floats(0, 100), st.lists(st.floats(-50, 50), min_size=1, max_size=20))
def test_the_first_has_the_relevance_of_all_and_the_rest_less_by_their_distance(
    relevance: float, ranked: list[float]
) -> None:
    ranked.sort(reverse=True)

    found = scores(relevance, ranked)

    assert found[0] == as_score(relevance)
    assert found == sorted(found, reverse=True)
    assert all(0 <= score < 1 for score in found)
    assert found == pytest.approx(scores(relevance, [value + 7 for value in ranked]))


def test_of_nothing_there_are_no_scores() -> None:
    assert scores(3.0, []) == []
    assert scores(0.0, [2.0, 1.0]) == [0.0, 0.0]
