"""Whether a collection holds anything about a question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.knowledge.relevance import coverage, is_relevant, relevance

unit = st.floats(0, 1)
words = st.sets(st.sampled_from("abcdefgh"), max_size=6)


@given(words, st.lists(words, max_size=4), st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 50)))
def test_coverage_is_a_share(asked: set[str], passages: list[set[str]], counts: dict[str, int]) -> None:
    frequencies = {word: counts.get(word, 0) for word in "abcdefgh"}

    share = coverage(asked, passages, frequencies, 50)

    assert 0 <= share <= 1 + 1e-9
    assert coverage(asked, [*passages, asked], frequencies, 50) == pytest.approx(1 if asked else 0)


@given(words, st.lists(words, max_size=4), words)
def test_another_passage_never_lowers_coverage(asked: set[str], passages: list[set[str]], more: set[str]) -> None:
    frequencies = dict.fromkeys("abcdefgh", 3)

    assert coverage(asked, [*passages, more], frequencies, 50) >= coverage(asked, passages, frequencies, 50)


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    frequencies = {"common": 40, "rare": 1, "unknown": 0}

    def share(word: str) -> float:
        return coverage({"common", "rare", "unknown"}, [{word}], frequencies, 50)

    assert share("common") < share("rare") < share("unknown")


def test_no_words_or_no_passages_cover_nothing() -> None:
    assert coverage(set(), [{"a"}], {}, 10) == 0
    assert coverage({"a"}, [], {"a": 1}, 10) == 0
    assert coverage({"a"}, [{"b"}], {"a": 0}, 0) == 0


@given(unit, unit, unit, unit)
def test_relevance_grows_with_both(similarity: float, more: float, share: float, trust: float) -> None:
    higher = max(similarity, more)

    assert relevance(higher, share, trust=trust) >= relevance(similarity, share, trust=trust) >= 0
    assert relevance(similarity, max(share, more), trust=trust) >= relevance(similarity, share, trust=trust)


def test_an_unbelieved_similarity_does_not_count() -> None:
    assert relevance(0.9, 0.3, trust=0) == relevance(0.1, 0.3, trust=0)
    assert relevance(-0.5, 0.3, trust=1) == relevance(0.0, 0.3, trust=1)


@given(st.floats(0, 2))
def test_strictness_zero_lets_everything_pass_and_more_of_it_never_more(value: float) -> None:
    passed = [is_relevant(value, strictness) for strictness in (0.0, 0.25, 0.5, 0.75, 1.0)]

    assert passed[0]
    assert passed == sorted(passed, reverse=True)
