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


WHOLE = "How do I install Hotswap on Windows?"


@pytest.mark.parametrize(
    "reply",
    [
        WHOLE,
        f'  "{WHOLE}"\n',
        f"“{WHOLE}”",
        f"`{WHOLE}`",
        f"**{WHOLE}**",
        f"<think>They mean Hotswap.</think>\n{WHOLE}",
        f"Sure! {WHOLE}",
        f"Sure, here is the rewritten question:\n\n{WHOLE}",
        f'Here is the question: "{WHOLE}"',
        f"Rewritten question: {WHOLE}",
        f"**Standalone question:** {WHOLE}",
        f"The rewritten question is: {WHOLE}",
        f"User: {WHOLE}",
        f"{WHOLE}\nIt replaces Linux.",
        f"{WHOLE}\n\nI replaced the omission by what it stands for.",
        f'{{"question": "{WHOLE}"}}',
        f'```json\n{{"original": "and on Windows?", "rewritten_question": "{WHOLE}"}}\n```',
        f'["{WHOLE}"]',
    ],
)
def test_a_sane_rewrite_is_taken(reply: str) -> None:
    assert accept(reply, "and on Windows?", HISTORY) == WHOLE


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   ",
        "<think>endless",
        "Hotswap runs on Windows since version 1.",
        "Yes, it does.",
        "make setup",
        "如何在 Windows 上安装 Hotswap？",
        "How " + "very " * 60 + "long?",
        "and on Windows?",
        "And on Windows?",
        "How do I install it on Windows?",
        "What is Windows?",
        '{"question": ""}',
        '{"question": null}',
        "[" * 5000,
        "{not json",
        "I cannot rewrite this question.",
    ],
)
def test_anything_else_is_left_aside(reply: str) -> None:
    assert accept(reply, "and on Windows?", HISTORY) == BY_RULE


def test_a_reply_that_drops_what_was_asked_is_left_aside() -> None:
    question = "how much memory and disk space does it need?"
    for reply in (HISTORY[0].content, HISTORY[1].content):
        assert accept(reply, question, HISTORY).startswith(f"install Hotswap Linux {question}")


def test_a_whole_question_may_come_back_unchanged() -> None:
    question = "Which formats does Ollama read?"
    assert accept(question, question, HISTORY) == question
    assert accept("", question, HISTORY) == question


def test_chinese_stays_chinese() -> None:
    assert accept("Hotswap 怎么在 Windows 上安装？", "那 Windows 呢？", CHINESE) == "Hotswap 怎么在 Windows 上安装？"
    assert accept("How to install on Windows?", "那 Windows 呢？", CHINESE).startswith(CHINESE[0].content)
    for reply in (
        "好的，{}",
        "改写后的问题：{}",
        "以下是改写后的问题：\n{}",
        "「{}」",
        '{{"问题": "{}"}}',
        "独立问题: {}",
    ):
        text = reply.format("Hotswap 怎么在 Windows 上安装？")
        assert accept(text, "那 Windows 呢？", CHINESE) == "Hotswap 怎么在 Windows 上安装？"
    for reply in ("运行 make setup。", "可以在 Windows 上安装。", "那 Windows 呢？", "它怎么在 Windows 上安装？"):
        assert accept(reply, "那 Windows 呢？", CHINESE).startswith(CHINESE[0].content)
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
