from __future__ import annotations

from collections import Counter

import pytest

from app.conversation.followup import content, fold_in, stands_alone
from app.schema import Message

ALONE = """What is Hotswap?
How do I install Hotswap on Linux?
Who was Martin Luther?
When was Luther born and where did he die?
What is Hotswap and what does it do?
If Ollama is not running, how do I start it?
Is it possible to run Hotswap on Windows?
How long does it take to index 1000 files?
In which year did the war begin?
Which one of the engines needs no model?
What formats does this product read?
How do I update the index and reopen it?
installation requirements
Which is the largest planet?
What values does President Biden name in his speech?
Which engine is the one that works without a model?
I have a 24 GB card. What can I run on it?
什么是光合作用？
Hotswap 怎么安装？
Hotswap 怎么安装呢？
那不勒斯在哪里？
但丁写了什么？
李白是谁，他写了什么诗？
土耳其的首都是哪里？
如何备份数据？
这个软件支持哪些格式？
Ollama 没有启动，怎么启动它？
24 GB 显存够跑 Qwen3 吗？
安装时应该选择哪个引擎？""".splitlines()

FOLLOW_UPS = """and on Windows?
what about 24 GB?
24 GB?
why?
how do I install it?
how do I install and configure it?
Does it support Windows?
Windows?
on Linux?
How so?
Can you give an example?
tell me more
Which is faster?
How to install?
What is the license?
Why is that?
Which ones?
does that work?
How long does it take?
What did he write?
Does Ollama need that too?
the second one
What's in this file format and does this change?
那在 Windows 上呢？
它支持哪些模型？
为什么？
怎么安装？
举个例子
能详细说说吗？
换成苹果电脑呢？
Windows 呢？
还有呢？
24 GB 够吗？
该车站位于哪里？
其中最大的是哪个？
这个模型多大？
需要多少内存？
他什么时候出生的？
安装完之后，它在哪里？
继续""".splitlines()


@pytest.mark.parametrize("question", ALONE)
def test_a_question_with_its_own_topic_stands_alone(question: str) -> None:
    assert stands_alone(question)
    assert fold_in(question, (Message("user", "How do I start Ollama?"),)) == question


@pytest.mark.parametrize("question", FOLLOW_UPS)
def test_a_follow_up_brings_the_last_question_that_stood_alone(question: str) -> None:
    history = (
        Message("user", "How do I configure Chroma?"),
        Message("user", "How do I install Hotswap on Linux?"),
        Message("assistant", "With make."),
        Message("user", "why?"),
    )
    folded = fold_in(question, history)
    # An ellipsis brings the whole question, another follow-up what it is about.
    assert folded.startswith(("How do I install Hotswap on Linux? " + question, "install Hotswap Linux " + question))
    assert "Chroma" not in folded


def test_without_an_earlier_question_nothing_is_folded_in() -> None:
    assert fold_in(" why? ", ()) == "why?"
    assert fold_in("why?", (Message("assistant", "Hello, how can I help?"),)) == "why?"


def test_when_no_question_stood_alone_the_last_one_counts() -> None:
    assert fold_in("why?", (Message("user", "on Linux?"), Message("user", "and Windows?"))) == "and Windows? why?"


def test_the_new_words_weigh_as_much_as_the_old() -> None:
    folded = fold_in("and on Windows?", (Message("user", "How do I install Hotswap with Docker on Linux?"),))
    words = Counter(content(folded))
    assert words["Windows"] >= sum(words.values()) - words["Windows"]
    chinese = fold_in("那在苹果电脑上呢？", (Message("user", "Hotswap 怎么在 Linux 上安装？"),))
    words = Counter(content(chinese))
    assert words["苹果电脑"] >= sum(words.values()) - words["苹果电脑"]


def test_content_is_what_a_text_is_about() -> None:
    assert content("What is the default port of Hotswap？") == ["default", "port", "Hotswap"]
    assert content("光合作用是什么") == ["光合作用"]


def test_a_long_history_of_follow_ups_is_quick() -> None:
    history = (Message("user", "How do I install Hotswap?"), *[Message("user", "它支持哪些模型？")] * 5000)
    assert fold_in("why?", history) == "它支持哪些模型？ why?"
