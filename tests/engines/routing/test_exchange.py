"""What odd servers say: it is read as far as it can be, and nothing odd reaches a reader."""

from __future__ import annotations

from typing import Any

import pytest

from app.config import load_settings
from app.engines.vllm_openai import VllmOpenAIEngine
from app.errors import ConfigError, EngineTimeout
from tests.engines.routing.fault_server import FaultServer
from tests.engines.routing.parts import CHAT, MODELS, SERVED, Told, ask, engine, event
from tests.engines.servers import Server, chunked, json_reply


def read(*events: str, **settings: Any) -> Told:
    with Server({CHAT: chunked("text/event-stream", [*events, "data: [DONE]\n\n"]), MODELS: SERVED}) as there:
        return ask(VllmOpenAIEngine(load_settings(vllm_base_url=there.url, **settings)).chat_model(), "hello")


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


def test_the_first_end_mark_counts() -> None:
    told = read(event("hi", "stop"), event("", "length"))
    assert (told.text, told.reason) == ("hi", "stop")
