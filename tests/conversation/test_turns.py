from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from app.conversation.turns import MAX_QUESTION, answered, check_question, language_of, turns
from app.errors import QuestionError, UsageError
from app.schema import Message

Q, A = "user", "assistant"


def test_a_question_loses_the_white_space_around_it() -> None:
    assert check_question(" why?\n") == "why?"
    assert len(check_question("x" * MAX_QUESTION)) == MAX_QUESTION


@pytest.mark.parametrize("question", ["", "  \n\t　"])
def test_an_empty_question_is_refused(question: str) -> None:
    with pytest.raises(QuestionError, match="empty"):
        check_question(question)


def test_a_far_too_long_question_is_refused_in_one_line_that_names_the_limit() -> None:
    with pytest.raises(QuestionError, match="100,000 characters; at most 20,000") as caught:
        check_question("字" * 100_000)
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)


def test_history_comes_in_many_shapes() -> None:
    history = [
        Message(Q, "a"), (A, "b"), ("human", "c"), ["ai", "d"], HumanMessage("e"),
        AIMessage([{"type": "text", "text": "f"}]),
        SystemMessage("no turn"), (Q, " "),
    ]  # fmt: skip
    assert [(turn.role, turn.content) for turn in turns(history)] == [
        (Q, "a"), (A, "b"), (Q, "c"), (A, "d"), (Q, "e"), (A, "f"),
    ]  # fmt: skip


@pytest.mark.parametrize("turn", [("system", "x"), "text", 1, ("user",), None, ("user", 1)])
def test_what_is_no_message_is_refused(turn: object) -> None:
    with pytest.raises(UsageError):
        turns([turn])  # type: ignore[list-item]


def test_roles_alternate_in_what_a_model_sees() -> None:
    said = turns([(A, "hello"), (Q, "1"), (Q, "2"), (A, "two"), (A, "more"), (Q, "3"), (A, "three"), (Q, "4")])
    assert [turn.content for turn in answered(said)] == ["2", "two", "3", "three"]


def test_a_bare_name_belongs_to_the_language_of_the_conversation() -> None:
    chinese = (Message(Q, "如何安装？"), Message(A, "运行 make setup。"))
    assert language_of("Windows 11?", chinese) == "zh"
    assert language_of("and on Windows?", chinese) == "en"
    assert language_of("Windows 11?", ()) == "en"
    assert language_of("在 Windows 上呢？", (Message(Q, "How?"),)) == "zh"
