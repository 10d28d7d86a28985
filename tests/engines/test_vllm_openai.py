"""The engine ``vllm_openai`` against a server that speaks as vLLM does, faults included."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk

from app.config import Settings, load_settings
from app.engines.routing import itinerary
from app.engines.vllm_openai import VllmOpenAIEngine
from app.errors import (
    ContextTooLong,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    HotswapError,
    IncompleteAnswer,
    ModelMissing,
    OutOfMemory,
)
from tests.engines.servers import (
    Reply,
    Server,
    chunked,
    json_reply,
    silent_url,
    text_reply,
    unused_url,
    wait_for,
)

CHAT, MODELS = "POST /v1/chat/completions", "GET /v1/models"
KEY = "sk-geheim-123"
SERVED = json_reply(
    200,
    {
        "object": "list",
        "data": [
            {"id": "qwen", "object": "model", "owned_by": "vllm", "max_model_len": 4096},
            {"id": "qwen-lora", "object": "model", "owned_by": "vllm", "max_model_len": None},
        ],
    },
)
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(itinerary, "FIRST_PAUSE", 0.01)


def settings(url: str, model: str = "qwen", key: str = "", **params: Any) -> Settings:
    return load_settings(vllm_base_url=url, vllm_model=model, vllm_api_key=key, llm={"params": params})


def delta(text: str = "", finish: str | None = None, **more: Any) -> str:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": finish}
    return event({"choices": [choice], **more})


def event(data: dict[str, Any]) -> str:
    whole = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "qwen", **data}
    return f"data: {json.dumps(whole, ensure_ascii=False)}\n\n"


def stream(*events: str, **how: Any) -> Reply:
    return chunked("text/event-stream", list(events), **how)


WORDS = ("Hello", " dear", " reader")
DONE = "data: [DONE]\n\n"
ANSWER = stream(
    delta(), *(delta(word) for word in WORDS), delta("", "stop"), event({"choices": [], "usage": USAGE}), DONE
)


def server(*chat: Reply) -> Server:
    return Server({MODELS: SERVED, CHAT: list(chat)})


def read(url: str, **given: Any) -> list[AIMessageChunk]:
    return list(VllmOpenAIEngine(settings(url, **given)).chat_model().stream("Hello"))


def failure(url: str, **given: Any) -> tuple[str, EngineError]:
    """The text that came, and the error after it; the same synchronously, asynchronously and whole."""
    chat = VllmOpenAIEngine(settings(url, **given)).chat_model()
    text = ""
    with pytest.raises(EngineError) as sync:
        for chunk in chat.stream("Hello"):
            text += chunk.text

    async def read_async() -> str:
        got = ""
        with pytest.raises(type(sync.value)):
            async for chunk in chat.astream("Hello"):
                got += chunk.text
        with pytest.raises(type(sync.value)):
            await chat.ainvoke("Hello")
        return got

    assert asyncio.run(read_async()) == text
    with pytest.raises(type(sync.value)):
        chat.invoke("Hello")
    assert "\n" not in str(sync.value)
    return text, sync.value


# ---- answers


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_an_answer_streams_and_ends_with_its_reason_and_its_tokens(path: str) -> None:
    with server(ANSWER) as there:
        chunks = read(there.url + path)
    assert [chunk.text for chunk in chunks if chunk.text] == list(WORDS)
    last = chunks[-1]
    assert last.chunk_position == "last"
    assert last.response_metadata["finish_reason"] == "stop"
    assert last.usage_metadata is not None
    assert (last.usage_metadata["input_tokens"], last.usage_metadata["output_tokens"]) == (9, 3)


def test_an_answer_that_reaches_max_tokens_says_so() -> None:
    with server(stream(delta("Hello"), delta(" dear", "length"), DONE)) as there:
        chunks = read(there.url)
    assert "".join(chunk.text for chunk in chunks) == "Hello dear"
    assert chunks[-1].response_metadata["finish_reason"] == "length"


def test_chinese_comes_whole_however_the_bytes_are_cut() -> None:
    whole = b"".join(stream(delta("检索增强"), delta("生成。", "stop"), DONE).pieces)
    cut = Reply(tuple(whole[at : at + 7] for at in range(0, len(whole), 7)))
    with server(cut) as there:
        assert "".join(chunk.text for chunk in read(there.url)) == "检索增强生成。"


def test_invoke_streams_too() -> None:
    with server(ANSWER) as there:
        message = VllmOpenAIEngine(settings(there.url)).chat_model().invoke("Hello")
        (request,) = there.asked(CHAT)
    assert message.text == "".join(WORDS)
    assert message.response_metadata["finish_reason"] == "stop"
    assert request.body["stream"] is True


def test_the_request_carries_the_settings() -> None:
    with server(ANSWER) as there:
        read(there.url, temperature=0.25, max_tokens=77, top_p=0.5)
        (request,) = there.asked(CHAT)
    sent = request.body
    assert (sent["model"], sent["temperature"], sent["top_p"]) == ("qwen", 0.25, 0.5)
    assert sent.get("max_tokens") or sent["max_completion_tokens"] == 77
    assert sent["stream_options"] == {"include_usage": True}
    assert request.headers["authorization"] == "Bearer EMPTY"


def test_two_event_loops_may_ask_one_model_in_turn() -> None:
    async def ask(chat: Any) -> str:
        return "".join([chunk.text async for chunk in chat.astream("Hello")])

    with server(ANSWER) as there:
        chat = VllmOpenAIEngine(settings(there.url)).chat_model()
        assert asyncio.run(ask(chat)) == asyncio.run(ask(chat)) == "".join(WORDS)


def test_a_connection_lost_after_the_end_mark_loses_nothing() -> None:
    with server(stream(delta("Hello"), delta("", "stop"), ended=False)) as there:
        assert read(there.url)[-1].response_metadata["finish_reason"] == "stop"


# ---- answers that break off


@pytest.mark.parametrize(
    "reply",
    [
        stream(delta("Hello")),
        stream(delta("Hello"), DONE),
        stream(delta("Hello"), ended=False),
        stream(delta("Hello"), 'data: {"choi\n\n', DONE),
        stream(delta("Hello"), event({"choices": None}), DONE),
        stream(delta("Hello"), delta("", "abort"), DONE),
        stream(delta("Hello"), 'data: {"error": {"message": "EngineCore died", "code": 500}}\n\n', DONE),
    ],
)
def test_a_stream_without_its_end_mark_is_incomplete(reply: Reply) -> None:
    with server(reply) as there:
        text, error = failure(there.url)
    assert text == "Hello"  # the same server is asked to go on, and never comes any further
    assert isinstance(error, IncompleteAnswer)
    assert error.hint


def test_the_servers_last_words_are_told() -> None:
    with server(stream(delta("Hello"), 'data: {"error": {"message": "EngineCore died"}}\n\n')) as there:
        assert "EngineCore died" in failure(there.url)[1].message


def test_a_stream_that_stalls_is_incomplete_after_the_timeout() -> None:
    with server(stream(delta("Hello"), ended=False, hold=True)) as there:
        begun = time.monotonic()
        with pytest.raises(IncompleteAnswer, match=r"nothing came for 0\.2 seconds"):
            read(there.url, timeout=0.2)
        assert time.monotonic() - begun < 3


# ---- no answer


def error_reply(status: int, message: str) -> Reply:
    return json_reply(status, {"error": {"message": message, "type": "BadRequestError", "code": status}})


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "This model's maximum context length is 4096 tokens. However, you requested 9000.", ContextTooLong),
        (400, "The decoder prompt (length 9000) is longer than the maximum model length of 4096.", ContextTooLong),
        (500, "CUDA out of memory. Tried to allocate 2.00 GiB.", OutOfMemory),
        (400, "temperature must be non-negative", EngineUnavailable),
        (404, "The model `qwen` does not exist.", EngineError),
        (429, "too many requests", EngineUnavailable),
        (500, "internal error", EngineUnavailable),
        (503, "overloaded", EngineUnavailable),
    ],
)
def test_refusals_are_told_apart(status: int, message: str, kind: type[EngineError]) -> None:
    with server(error_reply(status, message)) as there:
        _, error = failure(there.url, max_retries=1)
    assert isinstance(error, kind)
    assert error.hint


def test_a_model_that_is_not_served_names_those_that_are() -> None:
    with server(error_reply(404, "The model `gpt` does not exist.")) as there:
        _, error = failure(there.url, model="gpt")
    assert isinstance(error, ModelMissing)
    assert "qwen, qwen-lora" in error.hint


@pytest.mark.parametrize(
    "fault",
    [
        error_reply(503, "overloaded"),
        Reply(()),
        stream(),
        stream('data: {"error": {"message": "EngineCore died", "code": 500}}\n\n'),
    ],
)
def test_what_passes_before_the_first_token_is_asked_again(fault: Reply) -> None:
    async def ask(url: str) -> str:
        chat = VllmOpenAIEngine(settings(url)).chat_model()
        return "".join([chunk.text async for chunk in chat.astream("Hello")])

    with server(fault, fault, ANSWER) as there:
        assert "".join(chunk.text for chunk in read(there.url)) == "".join(WORDS)
        assert len(there.asked(CHAT)) == 3
    with server(fault, ANSWER) as there:
        assert asyncio.run(ask(there.url)) == "".join(WORDS)


def test_what_does_not_pass_is_given_up_after_the_retries() -> None:
    with server(error_reply(503, "overloaded")) as there:
        with pytest.raises(EngineUnavailable, match="503"):
            read(there.url, max_retries=2)
        assert len(there.asked(CHAT)) == 3


def test_a_mistake_of_ours_is_not_asked_again() -> None:
    with server(error_reply(400, "temperature must be non-negative")) as there:
        with pytest.raises(EngineUnavailable, match="non-negative"):
            read(there.url)
        assert len(there.asked(CHAT)) == 1


def test_no_server_is_said_at_once() -> None:
    begun = time.monotonic()
    _, error = failure(unused_url())
    assert time.monotonic() - begun < 5
    assert isinstance(error, EngineUnavailable)
    assert "vllm-serve" in error.hint


def test_no_first_token_in_time_is_a_timeout() -> None:
    with server(Reply((), hold=True)) as there:
        with pytest.raises(EngineTimeout, match=r"within 0\.2 seconds"):
            read(there.url, timeout=0.2)
        assert len(there.asked(CHAT)) == 1


@pytest.mark.parametrize("reply", [text_reply(200, "<html>"), json_reply(200, {"hello": 1}), text_reply(404, "no")])
def test_another_server_is_an_error(reply: Reply) -> None:
    with Server({CHAT: reply, MODELS: text_reply(404, "no")}) as there:
        assert isinstance(failure(there.url, max_retries=0)[1], EngineError)


# ---- abort


def test_closing_the_stream_aborts_the_request() -> None:
    with server(stream(*[delta("word ")] * 500, gap=0.02)) as there:
        answer = VllmOpenAIEngine(settings(there.url)).chat_model().stream("Hello")
        next(answer)
        answer.close()  # type: ignore[attr-defined]
        assert wait_for(there.asked(CHAT)[0].aborted) < 0.5


def test_cancelling_aborts_before_the_first_token() -> None:
    async def cancel(url: str) -> None:
        chat = VllmOpenAIEngine(settings(url)).chat_model()
        task = asyncio.create_task(chat.ainvoke("Hello"))
        while not there.asked(CHAT):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with server(Reply((), hold=True)) as there:
        asyncio.run(cancel(there.url))
        assert wait_for(there.asked(CHAT)[0].aborted) < 0.5


# ---- check


def test_check_finds_the_model_and_its_window() -> None:
    with server(ANSWER) as there:
        engine = VllmOpenAIEngine(settings(there.url))
        status = engine.check()
        assert (status.ready, status.model, engine.context_window()) == (True, "qwen", 4096)
        other = VllmOpenAIEngine(settings(there.url, model="qwen-lora"))
        assert other.context_window() == 8192
        assert VllmOpenAIEngine(settings(there.url, model="")).chat_model().model_name == "qwen"  # type: ignore[attr-defined]


def test_the_model_taken_follows_the_server() -> None:
    later = json_reply(200, {"data": [{"id": "gemma", "max_model_len": 1024}]})
    with Server({MODELS: [SERVED, later]}) as there:
        engine = VllmOpenAIEngine(settings(there.url, model=""))
        assert engine.chat_model().model_name == "qwen"  # type: ignore[attr-defined]
        assert engine.check().model == "gemma"
        assert engine.chat_model().model_name == "gemma"  # type: ignore[attr-defined]
        assert engine.context_window() == 1024
        assert engine.chat_model() is engine.chat_model()


def test_without_an_address_it_says_how_to_get_one() -> None:
    engine = VllmOpenAIEngine(load_settings())
    status = engine.check()
    assert not status.ready
    assert "VLLM_BASE_URL" in status.hint and "vllm-serve" in status.hint
    assert engine.context_window() == 8192
    with pytest.raises(EngineUnavailable, match="VLLM_BASE_URL"):
        engine.chat_model()


def test_check_names_what_is_served_instead() -> None:
    with server(ANSWER) as there:
        status = VllmOpenAIEngine(settings(there.url, model="gpt")).check()
    assert not status.ready
    assert "gpt" in status.detail
    assert "qwen, qwen-lora" in status.hint


@pytest.mark.parametrize("key", ["", KEY])
def test_a_wrong_key_is_told_without_the_key(key: str) -> None:
    reply = json_reply(401, {"error": f"Incorrect API key provided: {KEY}"})
    with Server({MODELS: reply, CHAT: reply}) as there:
        status = VllmOpenAIEngine(settings(there.url, key=key)).check()
        _, error = failure(there.url, key=key)
        assert there.asked(MODELS)[0].headers.get("authorization") == (f"Bearer {KEY}" if key else None)
    assert not status.ready
    for words in (status.detail + status.hint, str(error)):
        assert "VLLM_API_KEY" in words
        assert KEY not in words


def test_the_key_is_sent_and_hidden_in_the_servers_words(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"), server(error_reply(400, f"bad thing {KEY}")) as there:
        engine = VllmOpenAIEngine(settings(there.url, key=KEY))
        with pytest.raises(EngineUnavailable) as caught:
            engine.chat_model().invoke("Hello")
        assert there.asked(CHAT)[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in caplog.text
    assert KEY not in str(caught.value) + repr(engine.chat_model()) + repr(settings(there.url, key=KEY))


@pytest.mark.parametrize(
    "reply",
    [
        text_reply(200, "<html>"),
        json_reply(200, []),
        json_reply(200, {"data": None}),
        json_reply(200, {"data": [1]}),
        json_reply(200, {"data": []}),
        json_reply(404, {}),
        json_reply(500, {"error": "no"}),
        Reply(()),
        Reply((b"SSH-2.0-OpenSSH_9.6\r\n",)),
    ],
)
def test_check_takes_whatever_answers(reply: Reply) -> None:
    with Server({MODELS: reply}) as there:
        status = VllmOpenAIEngine(settings(there.url)).check()
    assert not status.ready
    assert status.detail and status.hint


def test_a_silent_server_is_given_up_in_time() -> None:
    with silent_url() as url:
        begun = time.monotonic()
        status = VllmOpenAIEngine(settings(url)).check()
    assert time.monotonic() - begun < 2
    assert not status.ready


@pytest.mark.parametrize("url", ["http://127.0.0.1:port", "http://[::1", "http://127.0.0.1:x,http://[::1"])
def test_an_impossible_address_is_a_status_and_an_error(url: str) -> None:
    engine = VllmOpenAIEngine(settings(url))
    assert not engine.check().ready
    with pytest.raises(HotswapError):
        engine.chat_model().invoke("Hello")
