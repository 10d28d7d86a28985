from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage

from app.errors import EngineUnavailable, EvaluationError
from app.evaluation.sentences import Sentence, usable
from app.evaluation.writing import question_in, write
from tests.evaluation.test_making import CHINESE, ENGLISH

TOWER, LAMP = usable("a", ENGLISH)
ZH = usable("b", CHINESE)[0]


@pytest.mark.parametrize(
    ("reply", "asked"),
    [
        ("Who built the lighthouse of Skarvoy?", "Who built the lighthouse of Skarvoy?"),
        ('Question: "Who built the lighthouse of Skarvoy?"\n', "Who built the lighthouse of Skarvoy?"),
        ("<think>Hm? A tower.</think>\n\nWho built the lighthouse?", "Who built the lighthouse?"),
        ("Sure! Here is one:\nWho built the lighthouse?", None),
        ("Who built the lighthouse? When was it built?", None),
        ("The lighthouse was built by Ingrid Halvorsen.", None),
        ("Who built the lighthouse in the passage?", None),
        ("According to this document, who built the lighthouse?", None),
        ("How many calories are in an avocado pear?", None),
        ("青屿灯塔由谁修建？", None),
        ("Why?", None),
        (f"Who built the lighthouse {'very ' * 80}well?", None),
        ("", None),
    ],
)
def test_a_reply_is_one_short_question_about_the_sentence_or_none(reply: str, asked: str | None) -> None:
    assert question_in(reply, TOWER, ENGLISH) == asked


def test_chinese_replies_are_judged_alike() -> None:
    assert question_in("问题：青屿灯塔是哪一年修建的？", ZH, CHINESE) == "青屿灯塔是哪一年修建的？"
    assert question_in("文中的青屿灯塔是哪一年修建的？", ZH, CHINESE) is None


class Replying(GenericFakeChatModel):
    """Keeps what it was asked."""

    asked: list[str] = []  # noqa: RUF012

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        self.asked.append(str(messages[0].text))
        return super()._generate(messages, *args, **kwargs)


def replying(*replies: str) -> Replying:
    return Replying(messages=iter([AIMessage(reply) for reply in replies]), asked=[])


def texts(doc: str) -> str:
    return {"a": ENGLISH, "b": CHINESE}[doc]


def written(llm: Replying, *found: Sentence, wanted: int = 5) -> list[str]:
    return [question.question for question in write(llm, found, texts, wanted, lambda progress: None)]


def test_a_bad_reply_leaves_the_turn_to_the_next_sentence() -> None:
    llm = replying("I cannot do that.", "How far is the lamp seen?", "青屿灯塔是哪一年修建的？")
    assert written(llm, TOWER, LAMP, ZH) == ["How far is the lamp seen?", "青屿灯塔是哪一年修建的？"]
    assert TOWER.text in llm.asked[0] and "Reply with the question alone" in llm.asked[0]
    assert "只回复问题本身" in llm.asked[2]


def test_it_stops_when_there_are_enough_and_asks_nothing_twice() -> None:
    llm = replying("How far is the lamp seen?", "How far is the lamp seen?", "Who built the lighthouse?", "unused")
    assert written(llm, LAMP, LAMP, TOWER, TOWER, wanted=2) == [
        "How far is the lamp seen?",
        "Who built the lighthouse?",
    ]
    assert len(llm.asked) == 3


def test_the_evidence_is_the_sentence() -> None:
    (question,) = write(replying("How far is the lamp seen?"), [LAMP], texts, 1, lambda progress: None)
    assert ENGLISH[question.evidence[0].start : question.evidence[0].end] == LAMP.text


def test_an_engine_that_writes_nothing_of_use_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="no usable question"):
        written(replying("No.", "No.", "No."), TOWER, LAMP, ZH)


def test_an_engine_that_fails_is_heard() -> None:
    class Broken(GenericFakeChatModel):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            raise EngineUnavailable("It went away.", "Start it.")

    with pytest.raises(EngineUnavailable):
        write(Broken(messages=iter([])), [TOWER], texts, 1, lambda progress: None)
