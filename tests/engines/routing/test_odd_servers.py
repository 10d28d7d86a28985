"""Servers and readers that behave oddly: nobody is blamed for what is not theirs, and others still answer."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.config import load_settings
from app.engines.routing import hedging
from app.engines.vllm_openai import VllmOpenAIEngine
from app.errors import IncompleteAnswer
from tests.engines.routing.fault_server import FaultServer, servers
from tests.engines.routing.parts import CHAT, MODELS, QUICK, Told, ask, engine, event, wait_until
from tests.engines.servers import Server, chunked, json_reply, silent_url, text_reply

LONG = {"connect": 1, "first_token": 30, "stall": 30}


# ---- who is blamed


def test_many_at_once_may_find_out_that_tokens_are_not_told() -> None:
    with servers(2) as two:
        for server in two:
            server.knows_ids = False
        chat = engine(two).chat_model()
        with ThreadPoolExecutor(16) as pool:
            told = list(pool.map(lambda number: ask(chat, f"q{number}"), range(16)))
    assert all(each.is_whole(f"q{number}") for number, each in enumerate(told))


def test_the_end_of_the_time_for_an_answer_is_no_routes_fault() -> None:
    with servers(2) as two:
        for server in two:
            server.gap = 0.05
        routed = engine(two, deadlines={**QUICK, "total": 0.3})
        for number in range(5):
            assert isinstance(ask(routed.chat_model(), f"q{number}").error, IncompleteAnswer)
        assert [(status.state, status.reason) for status in routed.routes()] == [("in", "")] * 2


def test_a_reader_who_leaves_while_two_are_asked_blames_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hedging, "SOONEST", 0.05)
    with servers(2) as two:
        routed = engine(two, hedge=True, deadlines=LONG)
        chat = routed.chat_model()
        for number in range(4):
            ask(chat, f"q{number}")
        for server in two:
            server.mode = "hang"

        async def leave() -> None:
            for number in range(4):
                task = asyncio.create_task(chat.ainvoke(f"r{number}"))
                await asyncio.sleep(0.3)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

        asyncio.run(leave())
        wait_until(lambda: [status.in_flight for status in routed.routes()] == [0, 0])
        assert [(status.state, status.reason) for status in routed.routes()] == [("in", "")] * 2


def test_a_single_server_may_be_out_of_order_and_then_serve_another_model() -> None:
    with FaultServer() as server:
        chosen = load_settings(vllm_base_url=server.url)
        chat = VllmOpenAIEngine(chosen).chat_model()
        assert ask(chat, "one").is_whole("one")
        server.key = "a gateway's"
        assert ask(chat, "two").error is not None
        server.key, server.model = "", "newer"
        assert ask(chat, "three").is_whole("three")


def test_a_server_whose_list_is_another_each_time_is_not_asked_for_ever() -> None:
    lists = [json_reply(200, {"data": [{"id": f"m{number}"}]}) for number in range(50)]
    with Server({MODELS: lists, CHAT: json_reply(404, {"error": "no such model"})}) as odd, FaultServer() as well:
        routes = {"a": {"base_url": odd.url}, "b": {"base_url": well.url}}
        chosen = load_settings(llm={"routes": routes, "default_route": "a", "probe": 0, "deadlines": QUICK})
        routed = VllmOpenAIEngine(chosen)
        assert ask(routed.chat_model(), "hello").is_whole("hello")
        assert len(odd.asked(CHAT)) <= 2
        routed.close()


def beside(odd: dict[str, Any], **settings: Any) -> tuple[Told, str]:
    """An answer where the first route is odd and the second well, and the first one's state afterwards."""
    with Server(odd) as first, FaultServer() as well:
        routes = {"a": {"base_url": first.url, "model": "mock"}, "b": {"base_url": well.url, "model": "mock"}}
        routes["a"] |= settings.pop("a", {})
        llm = {"routes": routes, "default_route": "a", "probe": 0, "deadlines": QUICK, **settings}
        routed = VllmOpenAIEngine(load_settings(llm=llm))
        told = ask(routed.chat_model(), "hello")
        state = routed.routes()[0].state
        routed.close()
        return told, state


@pytest.mark.parametrize("status", [400, 413, 422, 502])
def test_a_gateways_page_is_not_the_askers_fault(status: int) -> None:
    told, state = beside({CHAT: text_reply(status, "<html>plain HTTP request was sent to HTTPS port</html>")})
    assert told.is_whole("hello")
    assert state == ("misconfigured" if status < 500 else "in")


def test_a_list_of_models_that_is_refused_is_not_the_askers_fault() -> None:
    told, state = beside({MODELS: json_reply(400, {"error": "what?"})}, a={"model": ""})
    assert told.is_whole("hello") and state == "misconfigured"


@pytest.mark.parametrize("code", [429, "503", 503])
def test_a_server_may_say_within_its_stream_that_it_is_busy(code: object) -> None:
    busy = chunked("text/event-stream", [f'data: {{"error": {{"message": "later", "code": {json.dumps(code)}}}}}\n\n'])
    told, state = beside({CHAT: busy})
    assert told.is_whole("hello") and state == "busy"


@pytest.mark.parametrize(
    "calls", [{"a": 1}, ["text"], [{"function": "f"}], [{"id": 7, "function": {}}], [{"function": {"arguments": 7}}]]
)
def test_calls_of_tools_in_another_shape_are_a_failure_of_the_route(calls: object) -> None:
    part = json.dumps({"choices": [{"index": 0, "delta": {"tool_calls": calls}}]})
    told, _ = beside({CHAT: chunked("text/event-stream", [f"data: {part}\n\n", event("", "stop")])})
    assert told.is_whole("hello")


def test_what_cannot_be_sent_is_the_askers_fault() -> None:
    with servers(2) as two:
        routed = engine(two)
        for value in (object(), {1, 2}):
            error = ask(routed.chat_model(), "hello", foo=value).error
            assert error is not None and "cannot be sent" in error.message
        assert [(status.state, status.reason) for status in routed.routes()] == [("in", "")] * 2


def test_where_all_are_out_each_is_tried_and_the_last_one_waited_for() -> None:
    with servers(2) as two:
        routed = engine(two, None, default_route="a")
        for server in two:
            server.key = "right"
        assert ask(routed.chat_model(), "hello").error is not None
        assert [status.state for status in routed.routes()] == ["misconfigured"] * 2
        two[1].key, two[1].first = "", 2.5  # corrected, and slow
        assert ask(routed.chat_model(), "hello").is_whole("hello")
        routed.close()


# ---- going on


def test_with_tools_an_answer_does_not_go_on_where_a_call_would_be_plain_text() -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    with servers(2) as two:
        two[0].mode, two[0].times, two[0].at = "reset", 1, 12
        told = ask(engine(two, None, default_route="a").chat_model(), "hello", tools=tools)
        assert told.is_whole("hello")
        assert [asked.path for asked in two[1].questions()] == ["/v1/chat/completions"]


def test_the_newer_name_of_the_length_is_kept_too() -> None:
    with servers(2) as two:
        two[0].mode, two[0].times, two[0].at = "reset", 1, 12
        ask(engine(two, None, default_route="a").chat_model(), "hello", max_completion_tokens=20)
        body = two[1].questions()[-1].body
    assert body["max_tokens"] < 20 and "max_completion_tokens" not in body


def test_a_server_that_only_leaves_the_prompt_open_is_not_taken_for_one_that_goes_on() -> None:
    class Ignoring(FaultServer):
        """Knows ``add_generation_prompt``, but not ``continue_final_message``."""

        def _where(self, body: dict[str, Any], chat: bool) -> tuple[str, int, int]:
            whole, at, count = super()._where(body, chat)
            return whole, at, count - (0 if body.get("add_generation_prompt", True) else 3)

    with Ignoring() as first, Ignoring() as second:
        for server in (first, second):
            server.knows_ids = server.knows_completions = server.knows_continue = False
        for temperature in (0.0, 0.7):
            first.mode, first.times, first.at = "reset", 1, 12
            told = ask(engine([first, second], None, default_route="a").chat_model(), "hello", temperature=temperature)
            assert told.is_whole("hello") if temperature == 0 else isinstance(told.error, IncompleteAnswer)


# ---- slow ones


def test_a_hanging_server_does_not_hold_up_a_look_at_the_others() -> None:
    with silent_url() as url, FaultServer() as well:
        routed = engine([well, well], more={"b": {"base_url": url}})
        began = time.monotonic()
        status = routed.check()
        assert time.monotonic() - began < 1.2
        assert status.ready and "1 of 2" in status.detail


def test_many_who_wait_for_a_hanging_servers_list_wait_once() -> None:
    with silent_url() as url, servers(2) as two:
        routed = engine([*two, two[0]], more={"c": {"base_url": url, "model": ""}}, deadlines=LONG)
        began = time.monotonic()
        with ThreadPoolExecutor(30) as pool:
            told = list(pool.map(lambda number: ask(routed.chat_model(), f"q{number}"), range(60)))
        assert all(each.is_whole(f"q{number}") for number, each in enumerate(told))
        assert time.monotonic() - began < 15
        routed.close()


def test_a_slow_server_comes_back_too() -> None:
    with servers(2) as two:
        two[1].down()
        two[1].first = 2.5
        routed = engine(two, deadlines=LONG)
        for number in range(6):
            ask(routed.chat_model(), f"q{number}")
        assert routed.routes()[1].state == "out"
        two[1].up()
        wait_until(lambda: routed.routes()[1].state == "in", 20)
        routed.close()


def test_a_server_without_a_list_of_models_can_answer() -> None:
    answer = chunked("text/event-stream", [event("hi", "stop"), "data: [DONE]\n\n"])
    with Server({CHAT: answer}) as there:
        routed = VllmOpenAIEngine(load_settings(vllm_base_url=there.url, vllm_model="mock"))
        assert routed.check().ready
        assert ask(routed.chat_model(), "hello").text == "hi"
        assert not VllmOpenAIEngine(load_settings(vllm_base_url=there.url)).check().ready  # which model?
