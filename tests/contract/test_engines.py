"""What holds for every engine, whatever is behind it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage

from app.config import load_settings
from app.engines import retry
from app.engines.base import Engine
from app.engines.registry import ORDER, create
from app.errors import EngineError
from tests.engines.servers import Reply, Server, chunked, json_reply, silent_url, unused_url, wait_for

PASSAGES = [{"n": 1, "doc": "a.md", "heading": "", "text": "The tower is 40 m high. It was built in 1901. It leans."}]
QUESTION = "How high is the tower and when was it built?"
PROMPT = [
    SystemMessage("Answer from the passages."),
    HumanMessage("the prompt", additional_kwargs={"question": QUESTION, "passages": PASSAGES}),
]
WORDS = ["The tower ", "is 40 m ", "high [1]."]


@dataclass(frozen=True)
class Backend:
    """An engine's server; ``asked`` is the line of its requests for an answer. ``extractive`` has none."""

    name: str
    setting: str
    asked: str

    def engine(self, url: str) -> Engine:
        return create(self.name, load_settings(**({self.setting: url} if self.setting else {})))

    def server(self, *, slow: bool = False) -> Server:
        gap, words = (0.02, WORDS * 200) if slow else (0.0, WORDS)
        if self.name == "ollama":
            lines: list[dict[str, Any]] = [
                {"message": {"role": "assistant", "content": word}, "done": False} for word in words
            ]
            lines.append({"message": {"content": ""}, "done": True, "done_reason": "stop"})
            chat = chunked("application/x-ndjson", [json.dumps(line) + "\n" for line in lines], gap=gap)
            models = json_reply(200, {"models": [{"name": "tiny:latest"}]})
            return Server({self.asked: chat, "GET /api/tags": models, "GET /api/ps": models})
        choices: list[dict[str, Any]] = [
            {"index": 0, "delta": {"content": word}, "finish_reason": None} for word in words
        ]
        choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
        events = [f"data: {json.dumps({'model': 'tiny', 'choices': [choice]})}\n\n" for choice in choices]
        chat = chunked("text/event-stream", [*events, "data: [DONE]\n\n"], gap=gap)
        return Server({self.asked: chat, "GET /v1/models": json_reply(200, {"data": [{"id": "tiny"}]})})


BACKENDS = {
    "vllm_openai": Backend("vllm_openai", "vllm_base_url", "POST /v1/chat/completions"),
    "ollama": Backend("ollama", "ollama_base_url", "POST /api/chat"),
    "extractive": Backend("extractive", "", ""),
}
SERVED = [BACKENDS["vllm_openai"], BACKENDS["ollama"]]
every_engine = pytest.mark.parametrize("backend", BACKENDS.values(), ids=lambda backend: backend.name)
served_engines = pytest.mark.parametrize("backend", SERVED, ids=lambda backend: backend.name)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.01)


@contextmanager
def ready(backend: Backend) -> Iterator[Engine]:
    if not backend.setting:
        yield backend.engine("")
        return
    with backend.server() as there:
        yield backend.engine(there.url)


def test_every_engine_of_the_registry_is_held_to_this() -> None:
    assert list(BACKENDS) == list(ORDER)


@every_engine
def test_check_says_ready_and_what_answers(backend: Backend) -> None:
    with ready(backend) as engine:
        status = engine.check()
    assert status.ready
    assert status.name == engine.name == backend.name
    assert status.detail
    assert bool(status.model) == bool(backend.setting)


@contextmanager
def refusing() -> Iterator[str]:
    yield unused_url()


@contextmanager
def foreign() -> Iterator[str]:
    with Server({}) as there:
        yield there.url


@contextmanager
def dripping() -> Iterator[str]:
    drips = Reply((b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", *[b" "] * 60), gap=0.05)
    with Server({"GET /api/tags": drips, "GET /v1/models": drips}) as there:
        yield there.url


@contextmanager
def unknown_name() -> Iterator[str]:
    yield "http://nowhere.invalid:1"


@served_engines
@pytest.mark.parametrize("trouble", [refusing, foreign, dripping, silent_url, unknown_name])
def test_check_never_raises_and_is_quick(backend: Backend, trouble: Callable[[], AbstractContextManager[str]]) -> None:
    with trouble() as url:
        engine = backend.engine(url)
        begun = time.monotonic()
        status = engine.check()
        assert time.monotonic() - begun < 2
        assert not status.ready
        for words in (status.detail, status.hint):
            assert words and "\n" not in words
        engine.close()


@every_engine
def test_it_streams_and_says_how_it_ended(backend: Backend) -> None:
    with ready(backend) as engine:
        chunks = list(engine.chat_model().stream(PROMPT))
    assert len([chunk for chunk in chunks if chunk.text]) > 1
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
    assert chunks[-1].response_metadata["finish_reason"] == "stop"
    assert [chunk.chunk_position for chunk in chunks].count("last") == 1
    assert "40 m high" in "".join(chunk.text for chunk in chunks)


@every_engine
def test_all_ways_of_asking_give_the_same_text(backend: Backend) -> None:
    async def asynchronous(chat: BaseChatModel) -> tuple[str, str]:
        streamed = "".join([chunk.text async for chunk in chat.astream(PROMPT)])
        return streamed, (await chat.ainvoke(PROMPT)).text

    with ready(backend) as engine:
        chat = engine.chat_model()
        assert isinstance(chat, BaseChatModel)
        text = "".join(chunk.text for chunk in chat.stream(PROMPT))
        message = chat.invoke(PROMPT)
        assert message.text == text
        assert message.response_metadata["finish_reason"] == "stop"
        assert asyncio.run(asynchronous(chat)) == (text, text)


@every_engine
def test_many_readers_get_their_own_answers(backend: Backend) -> None:
    async def many(chat: BaseChatModel) -> list[str]:
        return [message.text for message in await asyncio.gather(*(chat.ainvoke(PROMPT) for _ in range(8)))]

    with ready(backend) as engine:
        answers = asyncio.run(many(engine.chat_model()))
    assert len(answers) == 8
    assert len(set(answers)) == 1


@every_engine
def test_the_model_is_kept_and_close_may_come_twice(backend: Backend) -> None:
    with ready(backend) as engine:
        engine.close()
        assert engine.chat_model() is engine.chat_model()
        assert engine.context_window() >= 1024
        engine.close()
        engine.close()
        assert engine.chat_model().invoke(PROMPT).text
    engine.close()


@every_engine
def test_a_reader_may_leave_early(backend: Backend) -> None:
    with ready(backend) as engine:
        stream = engine.chat_model().stream(PROMPT)
        assert next(stream).text is not None
        stream.close()  # type: ignore[attr-defined]
        assert engine.chat_model().invoke(PROMPT).text


@served_engines
def test_leaving_early_aborts_the_request(backend: Backend) -> None:
    async def leave(chat: BaseChatModel) -> None:
        stream = chat.astream(PROMPT)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        aborted = there.asked(backend.asked)[-1].aborted
        assert await asyncio.to_thread(wait_for, aborted) < 0.5

    with backend.server(slow=True) as there:
        chat = backend.engine(there.url).chat_model()
        stream = chat.stream(PROMPT)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert wait_for(there.asked(backend.asked)[-1].aborted) < 0.5
        asyncio.run(leave(chat))
        assert len(there.asked(backend.asked)) == 2


@every_engine
def test_what_is_down_raises_an_error_of_ours_at_once(backend: Backend) -> None:
    async def asynchronous(chat: BaseChatModel) -> None:
        with pytest.raises(EngineError):
            await chat.ainvoke("Hello")
        with pytest.raises(EngineError):
            _ = [chunk async for chunk in chat.astream("Hello")]

    with ready(backend) as engine:
        chat = engine.chat_model()
    begun = time.monotonic()
    with pytest.raises(EngineError) as caught:
        chat.invoke("Hello")
    with pytest.raises(EngineError):
        list(chat.stream("Hello"))
    asyncio.run(asynchronous(chat))
    assert time.monotonic() - begun < 3
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@served_engines
def test_a_server_that_comes_back_answers_again(backend: Backend) -> None:
    engine = backend.engine(unused_url())
    assert engine.context_window() > 0
    with pytest.raises(EngineError):
        engine.chat_model()
    with ready(backend) as other:
        assert other.chat_model().invoke(PROMPT).text
