"""Whole conversations, written by hand, and what is searched for at their end."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.followup import stands_alone
from app.llm_utils import contextualize_query
from tests.conversation.conversations import CHINESE, ENGLISH


@cache
def _parts(line: str) -> tuple[list[tuple[str, str]], str, list[str], list[str]]:
    said, _, expected = line.partition("=>")
    wanted, _, unwanted = expected.partition("!")
    *turns, question = [turn.strip() for turn in said.split("|")]
    history = [("assistant" if index % 2 else "user", turn) for index, turn in enumerate(turns)]
    return history, question, _words(wanted), _words(unwanted)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


@pytest.mark.parametrize("line", ENGLISH + CHINESE)
def test_what_is_left_unsaid_is_searched_for(line: str) -> None:
    history, question, wanted, unwanted = _parts(line)
    query = contextualize_query(question, history)
    if wanted == ["."]:
        assert query == question
    else:
        assert query != question
        assert [word for word in wanted if word not in query] == []
    assert [word for word in unwanted if word in query] == []


TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=400).filter(str.strip)
SAID = st.sampled_from([turn for line in ENGLISH + CHINESE for _, turn in _parts(line)[0]]) | TEXT
HISTORY = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), SAID), max_size=8)
ASKED = st.sampled_from([_parts(line)[1] for line in ENGLISH + CHINESE]) | TEXT


@given(question=ASKED)
def test_without_a_history_a_question_stays(question: str) -> None:
    assert contextualize_query(question, []) == question.strip()


@given(question=ASKED, history=HISTORY)
def test_no_word_of_the_question_is_lost_and_the_query_stays_short(
    question: str, history: list[tuple[str, str]]
) -> None:
    query = contextualize_query(question, history)
    assert question.strip() in query
    assert len(query) <= 3 * len(question) + 1500


@given(question=ASKED, history=HISTORY)
def test_a_question_that_stands_alone_stays_itself(question: str, history: list[tuple[str, str]]) -> None:
    if stands_alone(question):
        assert contextualize_query(question, history) == question.strip()


@given(question=ASKED, history=HISTORY)
def test_the_same_gives_the_same(question: str, history: list[tuple[str, str]]) -> None:
    assert contextualize_query(question, history) == contextualize_query(question, tuple(history))
