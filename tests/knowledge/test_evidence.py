"""What share of a question a text holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.knowledge.evidence import Question
from app.knowledge.keywords import KeywordIndex
from app.text import pairs, terms

WORDS = ["engine", "memory", "blue", "red", "window", "引擎", "显存", "镜像"]
texts = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> KeywordIndex:
    index = KeywordIndex(tmp_path_factory.mktemp("index"))
    index.add(1, [(number, f"engine {WORDS[number % 8]} memory") for number in range(1, 30)])
    return index


def asked(index: KeywordIndex, question: str) -> Question:
    return Question(index, terms(question), pairs(question, asked=True))


@settings(max_examples=60)
@given(texts, texts, texts)
def test_it_is_a_share_and_more_text_never_holds_less(index: KeywordIndex, question: str, text: str, more: str) -> None:
    share = asked(index, question).share(text)

    assert 0 <= share < 1
    assert asked(index, question).share(f"{text}. {more}") >= share - 1e-12


def test_nothing_of_it_is_nothing_and_no_question_holds_nothing(index: KeywordIndex) -> None:
    assert asked(index, "blue window").share("a garden") == 0
    assert asked(index, "").share("blue window") == 0


def test_a_rare_word_is_worth_more_than_a_common_one(index: KeywordIndex) -> None:
    question = asked(index, "engine window")

    assert question.share("the window is open") > question.share("the engine is on")


def test_words_side_by_side_as_asked_are_worth_more(index: KeywordIndex) -> None:
    question = asked(index, "blue window")

    assert question.share("a blue window in the red house") > question.share("a window in the blue house")


def test_other_chunks_however_short_do_not_change_what_a_text_holds(tmp_path: Path) -> None:
    """A glossary beside a manual must not make the manual look poor."""
    text = "Error E21 means that the door of the machine is open. " + "It is closed with a click. " * 10
    shares = []
    for entries in (3, 40):
        index = KeywordIndex(tmp_path / str(entries))
        index.add(1, [(1, text)])
        index.add(2, [(number, f"term{number} is a word") for number in range(2, entries)])
        shares.append(asked(index, "E21").share(text))

    assert shares[0] == pytest.approx(shares[1], rel=0.05)
    assert shares[0] > 0.4


def test_in_a_small_collection_a_word_that_is_found_still_weighs(tmp_path: Path) -> None:
    index = KeywordIndex(tmp_path / "small")
    index.add(1, [(1, "The pump is cleaned on Fridays.")])

    assert asked(index, "pump schedule").share("The pump is cleaned on Fridays.") > 0.15
