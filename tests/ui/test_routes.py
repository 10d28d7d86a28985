"""The list of servers on the card of ``vllm_openai``, and what an answer says of them; live in tests/browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from app.schema import Answer, RouteStatus, RouteTry
from app.ui import route_list
from tests.ui.stand_in import Reply, RoutesStandIn, StandIn, opened
from tests.ui.test_engines import engines, finish_soon, told

WELL = RouteStatus(
    name="one", url="http://one:8000/v1", model="tiny", state="in", reason="", since_s=None, ejections=0,
    ttft_ms=183.4, in_flight=0, answered=12, weight=1.0, tier=0, fallback=False, problem="",
)  # fmt: skip
ANOTHER = replace(WELL, name="two", url="http://two:8000/v1")


def serve(service: StandIn, *routes: RouteStatus) -> RoutesStandIn:
    engine = RoutesStandIn(*routes)
    service.switch.engines["vllm_openai"] = engine
    return engine


def listed(page: AppTest) -> list[str]:
    """The paragraphs of the list, as they are read."""
    found = [str(element.value) for element in page.main.markdown if str(element.value).startswith("**one**")]
    return [paragraph.replace("\\", "") for text in found for paragraph in text.split("\n\n")]


def test_every_route_says_where_it_is_and_what_it_did(service: StandIn) -> None:
    serve(service, replace(WELL, weight=2.0, tier=1, in_flight=3), replace(ANOTHER, fallback=True))
    one, two = listed(engines())
    assert "ready" in one and "answers being written: 3" in one
    assert "http://one:8000/v1 · tiny · answered: 12 · first token: 183 ms · weight 2 · tier 1" in one
    assert "fallback" in two and "fallback" not in one
    assert not any(word in two for word in ("weight", "tier", "being written"))


@pytest.mark.parametrize(
    ("change", "english", "chinese"),
    [
        ({}, "ready", "已就绪"),
        ({"ttft_ms": None, "answered": 0}, "not asked yet", "尚未使用"),
        ({"state": "busy"}, "busy", "繁忙"),
        ({"since_s": 5.2, "ejections": 1}, "back for 5 s", "已恢复 5 秒"),
        ({"reason": "it was empty"}, "last failure: it was empty", "最近一次失败：it was empty"),
        ({"state": "out", "since_s": 12.9, "reason": "no server runs there"}, "out", "不可用"),
        (
            {"state": "out", "since_s": 12.9, "reason": "no server runs there"},
            "for 12 s · no server runs there",
            "已持续 12 秒 · no server runs there",
        ),
        ({"state": "out", "since_s": 185.0, "reason": "it was empty"}, "for 3 min", "已持续 3 分钟"),
        ({"state": "out", "since_s": 8000.0, "reason": "it was empty"}, "for 2 h", "已持续 2 小时"),
        ({"state": "misconfigured", "since_s": 1.0, "reason": "401"}, "misconfigured", "配置有误"),
        ({"problem": "it serves big"}, "it serves big", "it serves big"),
        ({"fallback": True}, "fallback", "备用"),
    ],
)
def test_every_state_has_its_words(service: StandIn, change: dict[str, Any], english: str, chinese: str) -> None:
    serve(service, WELL, replace(ANOTHER, **change))
    for lang, words, foreign in (("en", english, chinese), ("zh", chinese, english)):
        one, two = listed(engines(lang))
        assert words in two
        assert foreign in two if english == chinese else foreign not in two
        assert words not in one or not change


def test_a_route_that_is_long_back_or_never_was_away_does_not_speak_of_it(service: StandIn) -> None:
    serve(service, WELL, replace(ANOTHER, since_s=60.0, ejections=1))
    assert not any("back" in paragraph for paragraph in listed(engines()))


def test_one_route_that_is_well_needs_no_list(service: StandIn) -> None:
    serve(service, WELL)
    page = engines()
    assert listed(page) == []
    assert not page.exception


@pytest.mark.parametrize("change", [{"state": "out"}, {"reason": "it was empty"}, {"problem": "it serves big"}])
def test_one_route_that_is_not_well_is_listed(service: StandIn, change: dict[str, Any]) -> None:
    serve(service, replace(WELL, **change))
    assert len(listed(engines())) == 1


@pytest.mark.parametrize("engine", [object(), RoutesStandIn()])
def test_an_engine_without_routes_has_no_list(service: StandIn, engine: object) -> None:
    service.switch.engines["vllm_openai"] = engine
    page = engines()
    assert listed(page) == []
    assert not page.error


def test_another_look_shows_what_has_changed(service: StandIn) -> None:
    engine = serve(service, WELL, ANOTHER)
    page = engines()
    engine.statuses = (replace(WELL, state="out", reason="it was empty", since_s=2.0), ANOTHER)
    assert "for 2 s · it was empty" in listed(page.run())[0]
    serve(service, WELL)  # as after a switch: another engine stands in its place
    assert listed(page.run()) == []


def test_it_stays_live_while_the_page_watches_other_work(service: StandIn) -> None:
    engine = serve(service, WELL, ANOTHER)
    page = engines()
    before = engine.looks
    finish_soon(service)
    page.button(key="switch-ollama").click().run()
    assert engine.looks > before + 3  # drawn twice, and looked at again in between
    assert "Switched to ollama." in told(page)


def test_what_servers_say_is_shown_as_it_stands() -> None:
    hostile = '401: [x](http://e.com) <b> $y$ | ![](http://e.com/p.png) :red[z]]\n\n# "`'
    text = route_list._line(hostile)
    assert "\n" not in text
    html = MarkdownIt().render(f"for 2 s · {text}")
    assert html.count("<") == 2  # the paragraph's own
    assert "\\:red\\[z\\]\\]" in text


def test_an_answer_tells_who_was_asked_where_it_was_more_than_one(service: StandIn) -> None:
    dead = RouteTry("one", "no server runs there", 3.0)
    service.reply = Reply(engine="vllm_openai", routes=(dead, RouteTry("two", "answered", 900.0)))
    page = opened()
    page.chat_input(key="question").set_value("Why?").run()
    assert "asked in turn: one (no server runs there) → two" in told(page).replace("\\", "")
    conversation = service.history.list()[0].id
    assert "依次询问：one (no server runs there) → two" in told(opened(c=conversation, lang="zh")).replace("\\", "")


def test_an_answer_of_one_route_tells_of_none(service: StandIn) -> None:
    service.reply = Reply(engine="vllm_openai", routes=(RouteTry("one", "answered", 900.0),))
    page = opened()
    page.chat_input(key="question").set_value("Why?").run()
    assert "vllm\\_openai · 0.0 s" in told(page)
    assert "asked in turn" not in told(page)


def test_a_long_reason_is_cut_and_cannot_break_the_page(service: StandIn) -> None:
    routes = (RouteTry("one", "![x](http://e.com/p.png) " + "very " * 100, 1.0), RouteTry("two", "it was\nempty", 1.0))
    conversation = service.history.create()
    service.history.append(conversation, "Why?")
    service.history.append_answer(conversation, Answer("Half", "vllm_openai", "", False, False, "Why?", routes=routes))
    footer = next(line for line in told(opened(c=conversation)).splitlines() if "asked in turn" in line)
    assert "\\!\\[x\\]" in footer and "…" in footer
    assert len(footer) < 350
    assert footer.endswith("→ two (it was empty)")
