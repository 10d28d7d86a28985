"""Servers and readers that behave oddly: nobody is blamed for what is not theirs, and nothing odd reaches a reader."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.config import ROOT, load_settings
from app.engines.routing import hedging
from app.engines.vllm_openai import VllmOpenAIEngine
from app.errors import ConfigError, EngineTimeout, IncompleteAnswer
from tests.engines.routing.fault_server import FaultServer, servers
from tests.engines.routing.parts import QUICK, Told, ask, engine, wait_until
from tests.engines.servers import Server, chunked, json_reply, silent_url, text_reply

CHAT, MODELS = "POST /v1/chat/completions", "GET /v1/models"
SERVED = json_reply(200, {"data": [{"id": "mock"}]})
LONG = {"connect": 1, "first_token": 30, "stall": 30}


def event(text: str = "", reason: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice]})}\n\n"


def read(*events: str, **settings: Any) -> Told:
    with Server({CHAT: chunked("text/event-stream", [*events, "data: [DONE]\n\n"]), MODELS: SERVED}) as there:
        return ask(VllmOpenAIEngine(load_settings(vllm_base_url=there.url, **settings)).chat_model(), "hello")


# ---- what they say


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["hi \ud83d", "\ude0a there"], "hi 😊 there"),
        (["hi \ud83d", "", "\ude0a"], "hi 😊"),
        (["\ud83d", "lonely"], "\ufffdlonely"),
        (["all of it \ude0a"], "all of it \ufffd"),
        (["the end \ud83d"], "the end "),
    ],
)
def test_halves_of_a_character_are_joined_and_lone_ones_replaced(pieces: list[str], text: str) -> None:
    told = read(*(event(piece) for piece in pieces), event("", "stop"))
    assert told.text.rstrip("\ufffd ") == text.rstrip("\ufffd ") and told.error is None
    told.text.encode()


def test_comments_and_roles_do_not_count_as_a_first_token() -> None:
    alive = ": still here\n\n"
    role = 'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}\n\n'
    slow = chunked("text/event-stream", [alive, role] * 200, gap=0.02)
    with Server({CHAT: slow, MODELS: SERVED}) as there:
        chosen = load_settings(vllm_base_url=there.url, llm={"params": {"timeout": 0.4, "max_retries": 0}})
        told = ask(VllmOpenAIEngine(chosen).chat_model(), "hello")
    assert isinstance(told.error, EngineTimeout)


def test_a_whole_answer_in_one_piece_of_json_is_an_answer() -> None:
    body = {"choices": [{"index": 0, "message": {"content": "all at once"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 4}}  # fmt: skip
    with Server({CHAT: json_reply(200, body), MODELS: SERVED}) as there:
        told = ask(VllmOpenAIEngine(load_settings(vllm_base_url=there.url)).chat_model(), "hello")
    assert (told.text, told.reason, told.usage, told.error) == ("all at once", "stop", (3, 4), None)


def test_a_right_stream_under_another_content_type_is_an_answer() -> None:
    with Server({CHAT: chunked("text/plain", [event("hi", "stop")]), MODELS: SERVED}) as there:
        assert ask(VllmOpenAIEngine(load_settings(vllm_base_url=there.url)).chat_model(), "hello").text == "hi"


def test_reasoning_keeps_a_reader_waiting_without_a_timeout_and_is_not_the_answer() -> None:
    thought = 'data: {"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]}\n\n'
    events = [thought] * 20 + [event("yes", "stop")]
    with Server({CHAT: chunked("text/event-stream", events, gap=0.1), MODELS: SERVED}) as there:
        chosen = load_settings(vllm_base_url=there.url, llm={"params": {"timeout": 1.5}})
        told = ask(VllmOpenAIEngine(chosen).chat_model(), "hello")
    assert (told.text, told.error) == ("yes", None)


def test_a_key_is_hidden_also_where_the_servers_words_are_cut() -> None:
    key = "sk-supersecretkey1234567890"
    words = {"error": {"message": "x" * 285 + key}}
    with Server({CHAT: json_reply(500, words), MODELS: SERVED}) as there:
        chosen = load_settings(vllm_base_url=there.url, vllm_api_key=key, llm={"params": {"max_retries": 0}})
        error = ask(VllmOpenAIEngine(chosen).chat_model(), "hello").error
    assert error is not None and "sk-" not in str(error)


@pytest.mark.parametrize("key", ["a\nb", "schlüssel", "two words", "tab\tkey"])
def test_a_key_that_cannot_be_one_is_an_error_of_the_settings(key: str) -> None:
    with pytest.raises(ConfigError, match="no key has") as caught:
        load_settings(vllm_api_key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:port", "http://127.0.0.1:99999", "http:///v1"])
def test_an_address_that_leads_nowhere_does_not_stand_in_the_way_of_others(url: str) -> None:
    with FaultServer() as other:
        routed = engine([other, other], None, default_route="a", more={"a": {"base_url": url}})
        assert ask(routed.chat_model(), "hello").is_whole("hello")
        assert "1 of 2 routes" in routed.check().detail
        assert routed.routes()[0].state == "misconfigured" or routed.routes()[0].reason


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


def test_the_first_end_mark_counts() -> None:
    told = read(event("hi", "stop"), event("", "length"))
    assert (told.text, told.reason) == ("hi", "stop")


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


# ---- processes


SCRIPT = """
import os, sys, threading
from app.config import load_settings
from app.engines.vllm_openai import VllmOpenAIEngine
chat = VllmOpenAIEngine(load_settings(vllm_base_url=sys.argv[1], llm={"probe": 0.2})).chat_model()
"""
ENDS = {
    "in the midst of an answer": "stream = chat.stream('hello'); print(next(stream).text != '')",
    "another thread still reads": (
        "threading.Thread(target=lambda: list(chat.stream('hello')), daemon=True).start()\n"
        "import time; time.sleep(0.5); print(True)"
    ),
    "a process that was forked off asks too": (
        "print(chat.invoke('hello').text != '', flush=True)\n"
        "child = os.fork()\n"
        "if not child:\n    os._exit(0 if chat.invoke('again').text else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0"
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_python_ends_without_a_word(end: str) -> None:
    with servers(2) as two:
        for server in two:
            server.gap = 0.01
        command = [sys.executable, "-c", SCRIPT + ENDS[end], ",".join(server.url for server in two)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_counting_tokens_asks_nobody() -> None:
    with FaultServer() as server:
        chat = engine([server]).chat_model()
        assert 0 < chat.get_num_tokens("hello, how are you?") < 20
        assert server.asked == []
