"""The engine ``extractive``: which sentences it quotes, and how it says them."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage

from app.config import load_settings
from app.engines.extractive import ExtractiveEngine
from app.engines.quoting import Quote, best_quotes
from app.errors import EngineUnavailable, one_line
from app.text import estimate_tokens


def passage(n: int, text: str, heading: str = "", doc: str = "guide.md") -> dict[str, Any]:
    return {"n": n, "doc": doc, "heading": heading, "text": text}


OFFICE = passage(
    1,
    """## Visiting us

The museum was founded in 1887 by Clara Weber, a schoolteacher. It moved to its present house in 1923.

- The museum opens at 9 a.m. and closes at 6 p.m. from Tuesday to Sunday.
- On Mondays it is closed.
- Tickets cost 12 euros; children under ten enter free.

Where can I leave my bag? Lockers stand behind the cloakroom. Dogs are not allowed.""",
    heading="Museum guide > Visiting us",
)
SHOP = passage(
    2,
    "The café sells coffee and cake. The museum opens at 9 a.m. and closes at 6 p.m. from Tuesday to Sunday. "
    "Groups of more than ten people book a tour two weeks ahead by e-mail to tours@example.org.",
    heading="Museum guide > Café",
)
CHINESE = passage(
    3,
    """# 参观指南

博物馆由教师克拉拉·韦伯于1887年创立，1923年迁至现址。
开放时间为周二至周日上午九点到下午六点，周一闭馆。
（一）成人票价为十二欧元，十岁以下儿童免费。
哪里可以寄存行李？存包柜在衣帽间后面。馆内禁止携带宠物。""",
    heading="参观指南",
    doc="指南.md",
)
ALL = [OFFICE, SHOP, CHINESE]


def first(question: str, passages: list[dict[str, Any]] | None = None) -> Quote:
    return best_quotes(question, ALL if passages is None else passages)[0]


def ask(question: str, passages: list[dict[str, Any]]) -> HumanMessage:
    return HumanMessage("the whole prompt", additional_kwargs={"question": question, "passages": passages})


def model() -> BaseChatModel:
    return ExtractiveEngine(load_settings()).chat_model()


@pytest.mark.parametrize(
    ("question", "words", "n"),
    [
        ("When was the museum founded?", "1887", 1),
        ("Who founded the museum?", "Clara Weber", 1),
        ("When does the museum open?", "9 a.m.", 1),
        ("How much does a ticket cost?", "12 euros", 1),
        ("Where can I leave my bag?", "Lockers", 1),
        ("Are dogs allowed?", "Dogs are not allowed", 1),
        ("How do groups book a tour?", "tours@example.org", 2),
        ("博物馆是哪一年创立的？", "1887年", 3),
        ("门票多少钱？成人票价", "十二欧元", 3),
        ("开放时间是什么时候？", "上午九点", 3),
        ("哪里可以寄存行李？", "存包柜", 3),
        ("可以带宠物吗？", "宠物", 3),
    ],
)
def test_the_first_sentence_holds_the_answer(question: str, words: str, n: int) -> None:
    quote = first(question)
    assert words in quote.text
    assert quote.n == n


def test_list_and_heading_marks_are_left_out() -> None:
    assert first("When does the museum open?").text.startswith("The museum opens at 9 a.m.")
    assert first("门票多少钱？成人票价").text == "成人票价为十二欧元，十岁以下儿童免费。"
    numbered = passage(1, "Steps:\n\n1. Open the lid.\n2. Pour two litres of water into the tank.\n3. Close it.")
    assert first("How much water goes into the tank?", [numbered]).text == ("Pour two litres of water into the tank.")
    table = passage(1, "| Item | Price |\n| --- | --- |\n| Apple juice | 3 euros |\n| Tea | 2 euros |")
    assert first("What does apple juice cost?", [table]).text == "Apple juice | 3 euros"


def test_a_number_that_begins_a_sentence_in_a_paragraph_stays() -> None:
    text = "Nothing else is known. 一、二线城市的房价在2020年上涨了百分之五。"
    assert first("一、二线城市的房价上涨了多少？", [passage(1, text)]).text.startswith("一、二线城市")


def test_the_same_sentence_is_quoted_once_from_the_better_passage() -> None:
    quotes = best_quotes("When does the museum open and close?", ALL)
    assert [quote.text for quote in quotes].count(quotes[0].text) == 1
    assert quotes[0].n == 1


def test_one_sentence_is_enough_where_the_others_say_nothing_of_it() -> None:
    text = "The pump needs 40 watts. Bananas are yellow. Ships sail far. Rain falls on the plain."
    assert [quote.text for quote in best_quotes("How many watts does the pump need?", [passage(1, text)])] == [
        "The pump needs 40 watts."
    ]


def test_a_question_of_two_parts_gets_both() -> None:
    quotes = best_quotes("Who founded the museum and what do tickets cost?", ALL)
    together = " ".join(quote.text for quote in quotes)
    assert "Clara Weber" in together and "12 euros" in together
    assert len(quotes) <= 3


def test_headings_and_questions_are_no_answers() -> None:
    text = "# Warranty period\n\nWhat is the warranty period?\n\nTwo years from the day of purchase.\n\nSee page 4."
    quotes = best_quotes("What is the warranty period?", [passage(1, text)])
    assert quotes[0].text == "Two years from the day of purchase."
    assert not any("?" in quote.text or quote.text == "Warranty period" for quote in quotes)


def test_a_heading_speaks_for_the_sentences_below_it() -> None:
    text = "## Pump P-100\n\nIt weighs 12 kg.\n\n## Pump P-200\n\nIt weighs 31 kg."
    assert first("How much does the P-200 weigh?", [passage(1, text)]).text == "It weighs 31 kg."
    above = [passage(1, "It weighs 12 kg.", "Pump P-100"), passage(2, "It weighs 31 kg.", "Pump P-200")]
    assert first("How much does the P-200 weigh?", above) == Quote(2, "It weighs 31 kg.")


def test_the_questions_language_goes_first() -> None:
    assert first("Who was the teacher Clara Weber (韦伯)?").n == 1
    assert first("克拉拉·韦伯（Clara Weber）创立了什么博物馆？").n == 3


def test_another_language_is_better_than_nothing() -> None:
    assert first("博物馆 Clara Weber 是谁？", [OFFICE]).text.startswith("The museum was founded in 1887")
    assert best_quotes("完全不同的问题", [OFFICE])
    assert best_quotes("Who founded it?", [CHINESE])


def test_a_long_text_without_full_stops_is_quoted_by_the_line() -> None:
    lines = [f"Station {number} at kilometre {number * 7}" for number in range(40)]
    quote = first("At which kilometre is station 31?", [passage(1, "\n".join(lines))])
    assert quote.text == "Station 31 at kilometre 217"


def test_passages_of_nothing_but_titles_still_give_something() -> None:
    assert best_quotes("What is new?", [passage(1, "# What is new?")]) == [Quote(1, "What is new?")]


@pytest.mark.parametrize("text", ["", " \n\t", "# \n"])
def test_passages_without_text_give_nothing(text: str) -> None:
    assert all(quote.text for quote in best_quotes("What?", [passage(1, text)]))


@given(
    question=st.text(max_size=60),
    texts=st.lists(st.text(alphabet="ab 12.?!\n#-*|。？，中文字、（一）", max_size=200), max_size=4),
)
def test_whatever_comes_quotes_are_verbatim_few_and_different(question: str, texts: list[str]) -> None:
    passages = [passage(number, text) for number, text in enumerate(texts, 1)]
    quotes = best_quotes(question, passages)
    assert len(quotes) <= 3
    assert len({quote.text for quote in quotes}) == len(quotes)
    for quote in quotes:
        assert quote.text and quote.text == one_line(quote.text)
        assert quote.text in one_line(passages[quote.n - 1]["text"])
    assert bool(quotes) or not any(re.search(r"[ab12中文字]", text) for text in texts)


# ---- the chat model


def test_each_sentence_is_a_line_and_a_chunk_with_its_number() -> None:
    chunks = list(model().stream([SystemMessage("be brief"), ask("Who founded the museum?", ALL)]))
    lines = "".join(chunk.text for chunk in chunks).split("\n")
    assert len(lines) == len(chunks) <= 3
    assert re.fullmatch(r"The museum was founded in 1887 by Clara Weber, a schoolteacher\. \[1\]", lines[0])
    assert all(re.search(r" \[\d\]$", line) for line in lines)
    assert chunks[-1].response_metadata["finish_reason"] == "stop"
    assert chunks[-1].chunk_position == "last"


def test_it_answers_all_ways_alike() -> None:
    message = ask("Who founded the museum and what do tickets cost?", ALL)

    async def asynchronous() -> tuple[str, str]:
        streamed = "".join([chunk.text async for chunk in model().astream([message])])
        return streamed, (await model().ainvoke([message])).text

    whole = model().invoke([message])
    assert whole.response_metadata["finish_reason"] == "stop"
    assert asyncio.run(asynchronous()) == (whole.text, whole.text)


@pytest.mark.parametrize("message", [HumanMessage("Hello"), ask("Hello", []), ask("Hello", [passage(1, " ")])])
def test_without_passages_it_says_what_it_needs(message: HumanMessage) -> None:
    with pytest.raises(EngineUnavailable, match="needs documents") as caught:
        model().invoke([message])
    assert "Ollama" in caught.value.hint


def test_between_equals_the_sentence_nearer_in_meaning_comes_first() -> None:
    one, other = "The pump is cleaned by hand.", "The pump is emptied at night."
    text = f"{one} {other}"
    near = {"likeness": [(0, len(one), 0.1), (len(one) + 1, len(text), 0.9)]}

    assert best_quotes("When does the pump rest?", [{**passage(1, text), **near}])[0].text == other
    assert best_quotes("When does the pump rest?", [passage(1, text)])[0].text == one


def test_a_chinese_name_that_no_dictionary_knows_is_told_from_another() -> None:
    text = "班杰喜欢下棋和游泳。杰里喜欢唱歌和画画。"

    assert best_quotes("班杰喜欢做什么？", [passage(1, text)])[0].text == "班杰喜欢下棋和游泳。"


def test_chinese_words_that_share_a_character_count() -> None:
    text = "老城区的房屋靠河而建。书架有三层楼高。当年的创办人来自北方。"
    assert best_quotes("创始人是谁？", [passage(1, text)])[0].text == "当年的创办人来自北方。"


def test_the_sentence_that_opens_a_document_says_what_it_is_about() -> None:
    opening = "A quern is a pair of round stones, one of them lying flat upon the other."
    other = "A quern weighs more than a man can lift without help."
    text = f"Quern\n\n{opening} {other}"
    assert best_quotes("What is a quern?", [{**passage(1, text), "start": 0}])[0].text == opening
    assert best_quotes("What is a quern?", [{**passage(1, text), "start": 900}])[0].text == other


def test_clauses_that_a_chinese_semicolon_joins_are_quoted_together() -> None:
    text = "另有传闻说要兴建高架桥；原因是旧街过窄，车辆无法通行。\n其余路段不变；\n第二条线路明年开工。"
    quotes = [quote.text for quote in best_quotes("为什么兴建高架桥？", [passage(1, text)])]
    assert quotes[0] == "另有传闻说要兴建高架桥；原因是旧街过窄，车辆无法通行。"
    assert all("其余路段不变；第二条" not in quote for quote in quotes)


def test_it_ends_at_a_stop_string_and_at_its_most_tokens() -> None:
    message = ask("Who founded the museum and what do tickets cost?", ALL)
    whole = model().invoke([message])
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.usage_metadata is not None and whole.usage_metadata["output_tokens"] > 10
    stopped = model().invoke([message], stop=["never there", "euros"])
    assert str(whole.text).startswith(str(stopped.text)) and not stopped.text.endswith("euros")
    short = model().invoke([message], max_tokens=5)
    assert short.response_metadata["finish_reason"] == "length"
    assert str(whole.text).startswith(str(short.text)) and 0 < estimate_tokens(str(short.text)) <= 5
