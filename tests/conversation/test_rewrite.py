from __future__ import annotations

import asyncio
import logging

import pytest

from app.conversation.prompts import rewrite_messages
from app.conversation.rewrite import accept, arewritten, rewritten
from app.engines.extractive_chat import ExtractiveChatModel
from app.schema import Message
from tests.conversation.parts import Scripted

HISTORY = (Message("user", "How do I install Hotswap on Linux?"), Message("assistant", "Run make setup."))
CHINESE = (Message("user", "Hotswap 怎么在 Linux 上安装？"), Message("assistant", "运行 make setup。"))
BY_RULE = "How do I install Hotswap on Linux? and on Windows? Windows Windows"


@pytest.mark.parametrize(
    ("reply", "question"),
    [
        ("How do I install Hotswap on Windows?", "How do I install Hotswap on Windows?"),
        ('  "How do I install Hotswap on Windows?"\n', "How do I install Hotswap on Windows?"),
        ("<think>They mean Hotswap.</think>\nHow do I install it on Windows?", "How do I install it on Windows?"),
    ],
)
def test_a_sane_rewrite_is_taken(reply: str, question: str) -> None:
    assert accept(reply, "and on Windows?", HISTORY) == question


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   ",
        "<think>endless",
        "Sure! How do I install Hotswap on Windows?",
        "Here is the question: How do I install Hotswap on Windows?",
        "Rewritten question: How do I install Hotswap on Windows?",
        "How do I install Hotswap on Windows?\nIt replaces Linux.",
        "Hotswap runs on Windows since version 1.",
        "如何在 Windows 上安装 Hotswap？",
        "How " + "very " * 60 + "long?",
    ],
)
def test_anything_else_is_left_aside(reply: str) -> None:
    assert accept(reply, "and on Windows?", HISTORY) == BY_RULE


def test_chinese_stays_chinese() -> None:
    assert accept("Hotswap 怎么在 Windows 上安装？", "那 Windows 呢？", CHINESE) == "Hotswap 怎么在 Windows 上安装？"
    assert accept("How to install on Windows?", "那 Windows 呢？", CHINESE).startswith(CHINESE[0].content)
    assert accept("好的，Hotswap 怎么在 Windows 上安装？", "那 Windows 呢？", CHINESE).startswith(CHINESE[0].content)
    assert accept("Hotswap 怎么在 Windows 上安装？", "Windows?", CHINESE) == "Hotswap 怎么在 Windows 上安装？"


def test_the_model_sees_the_conversation_in_the_questions_language() -> None:
    model = Scripted(reply="Hotswap 怎么在 Windows 上安装？")
    assert rewritten("那 Windows 呢？", CHINESE, model) == "Hotswap 怎么在 Windows 上安装？"
    system, human = model.seen[0]
    assert "改写" in system.text
    assert "用户: Hotswap 怎么在 Linux 上安装？" in human.text and human.text.endswith("那 Windows 呢？")
    assert "Rewrite" in rewrite_messages("why?", HISTORY, "en")[0].text


def test_an_event_loop_gets_the_same() -> None:
    model = Scripted(reply="How do I install Hotswap on Windows?")
    assert asyncio.run(arewritten("and on Windows?", HISTORY, model)) == "How do I install Hotswap on Windows?"
    assert asyncio.run(arewritten("and on Windows?", HISTORY, ExtractiveChatModel())) == BY_RULE


def test_the_extractive_engine_is_not_asked() -> None:
    assert rewritten("and on Windows?", HISTORY, ExtractiveChatModel()) == BY_RULE
    assert rewritten("and on Windows?", HISTORY, None) == BY_RULE


def test_the_question_itself_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="app"):
        accept("", "and on Windows?", HISTORY)
    assert caplog.text and "Windows" not in caplog.text
