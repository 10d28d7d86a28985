"""Whoever says hello is not asking anything; whoever asks after saying hello is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.small_talk import _PHRASES, is_small_talk
from app.text import simplified


@pytest.mark.parametrize(
    "text",
    [
        "hi",
        "Hello!",
        "  HELLO  ",
        "Ｈｅｌｌｏ！",
        "Hey there :)",
        "Hello, Hotswap!",
        "Good morning, how are you?",
        "What’s up?",
        "Thanks a lot, bye!",
        "ok… thanks",
        "Thank you very much, assistant.",
        "Hi!!!\n\nHow are you today?",
        "Who are you?",
        "Can you help me?",
        "Hello 👋",
        "你好",
        "您好！",
        "你好，在吗？",
        "早上好！最近怎么样？",
        "谢谢，再见。",
        "非常感谢！",
        "好的，明白了。",
        "你好，小助手",
        "谢谢朋友们！",
        "你是谁？",
        "哈哈哈～",
        "謝謝",
        "謝謝！再見。",
        "早安，你好嗎？",
        "沒關係",
        "對不起",
        "太棒了！",
        "你會說中文嗎？",
        "Hello，你好！",
        "OK，谢谢",
    ],
)
def test_small_talk(text: str) -> None:
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "?!",
        "👋",
        "Hello, how do I switch engines?",
        "Hi. Which port does it use?",
        "Thanks! And what about memory?",
        "Good morning, when is the report due?",
        "hello world program",
        "Who are you going to send the invoice to?",
        "What is your name policy for files?",
        "engines",
        "No, I meant vLLM",
        "yes: restart the server",
        "Help me install Ollama",
        "test coverage",
        "Is the assistant local?",
        "Hotswap",
        "assistant",
        "你好，怎么切换引擎？",
        "您好！显存不足怎么办",
        "谢谢，还有别的镜像吗？",
        "你好是什么意思？",
        "早上好这首歌是谁写的？",
        "测试覆盖率",
        "可以离线使用吗？",
        "助手",
        "你好，怎麼切換引擎？",
        "謝謝，顯存不足怎麼辦？",
        "再见列宁",
        "hello " * 100,
        "你好，" * 100,
    ],
)
def test_questions_and_what_says_nothing_at_all(text: str) -> None:
    assert not is_small_talk(text)


@pytest.mark.parametrize("phrase", sorted(_PHRASES))
def test_the_phrases_are_written_as_they_are_compared(phrase: str) -> None:
    assert is_small_talk(phrase)
    assert simplified(phrase) == phrase == phrase.casefold().strip()


@given(st.text(max_size=250), st.sampled_from(sorted(_PHRASES)))
def test_it_is_told_of_any_text_and_a_phrase_changes_nothing_about_it(text: str, phrase: str) -> None:
    if is_small_talk(text):
        assert is_small_talk(f"{phrase}! {text}"[:200]) or len(text) + len(phrase) > 190
    elif len(text) + len(phrase) < 190 and any(map(str.isalnum, text)):
        assert not is_small_talk(f"{phrase}! {text}")
