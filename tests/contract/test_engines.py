"""What holds for every engine, whatever is behind it."""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage

from app.config import Settings, load_settings
from app.engines import retry
from app.engines.base import Engine
from app.engines.live_chat import LiveChatModel
from app.engines.registry import ORDER, create
from app.engines.switch import EngineSwitch
from app.errors import ContextTooLong, EngineError, ModelDamaged
from app.schema import Progress
from tests.engines import tiny_model
from tests.engines.servers import Reply, Server, chunked, json_reply, silent_url, unused_url, wait_for

PASSAGES = [{"n": 1, "doc": "a.md", "heading": "", "text": "The tower is 40 m high. It was built in 1901. It leans."}]
QUESTION = "How high is the tower and when was it built?"
PROMPT = [
    SystemMessage("Answer from the passages."),
    HumanMessage("the prompt", additional_kwargs={"question": QUESTION, "passages": PASSAGES}),
]
WORDS = ["The tower ", "is 40 m ", "high [1]."]


class Backend:
    """How the tests come by an engine of one kind."""

    name: str
    has_model = True

    @contextmanager
    def ready(self) -> Iterator[Engine]:
        """One that answers PROMPT."""
        raise NotImplementedError
        yield

    def to_load(self) -> AbstractContextManager[Engine]:
        """One that can be loaded; where that is another kind of request, it can do nothing else."""
        return self.ready()

    @contextmanager
    def down(self) -> Iterator[Engine]:
        """One whose model cannot be had, or that cannot chat without passages."""
        raise NotImplementedError
        yield


class Served(Backend):
    """An engine in front of a server; ``asked`` is the line of its requests for an answer."""

    def __init__(self, name: str, setting: str, asked: str) -> None:
        self.name = name
        self.asked = asked
        self._setting = setting

    def settings(self, url: str) -> Settings:
        return load_settings(llm_engine=self.name, **{self._setting: url})

    def engine(self, url: str) -> Engine:
        return create(self.name, self.settings(url))

    @contextmanager
    def ready(self) -> Iterator[Engine]:
        with self.server() as there:
            yield self.engine(there.url)

    @contextmanager
    def to_load(self) -> Iterator[Engine]:
        if self.name == "vllm_openai":
            with self.ready() as engine:
                yield engine
            return
        loaded = json_reply(200, {"message": {"content": ""}, "done": True, "done_reason": "load"})
        models = json_reply(200, {"models": [{"name": "tiny:latest"}]})
        with Server({self.asked: loaded, "GET /api/tags": models, "GET /api/ps": models}) as there:
            yield self.engine(there.url)

    @contextmanager
    def down(self) -> Iterator[Engine]:
        with self.server() as there:
            engine = self.engine(there.url)
            engine.chat_model()
        yield engine

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


class InProcess(Backend):
    """An engine that loads a real, tiny model, which takes a while: the tests share one, and load it when asked."""

    def __init__(self, name: str, setting: str) -> None:
        self.name = name
        self._setting = setting
        self._shared: Engine | None = None

    def engine(self, model: Path) -> Engine:
        config = {"max_model_len": tiny_model.CONTEXT, "dtype": "bfloat16"}
        return create(self.name, load_settings(**{self._setting: str(model)}, vllm_config=config))

    @contextmanager
    def ready(self) -> Iterator[Engine]:
        if self._shared is None:
            self._shared = self.engine(tiny_model.make(Path(tempfile.mkdtemp()) / "tiny", says="".join(WORDS)))
        yield self._shared

    @contextmanager
    def down(self) -> Iterator[Engine]:
        yield self.engine(Path(tempfile.gettempdir()) / "no such model")

    def end(self) -> None:
        """The model's memory goes back."""
        if self._shared is not None:
            self._shared.close()
            self._shared = None


class Extractive(Backend):
    """The engine without a model: it cannot chat without passages."""

    name = "extractive"
    has_model = False

    @contextmanager
    def ready(self) -> Iterator[Engine]:
        yield create(self.name, load_settings())

    down = ready


SERVED = (
    Served("vllm_openai", "vllm_base_url", "POST /v1/chat/completions"),
    Served("ollama", "ollama_base_url", "POST /api/chat"),
)
IN_PROCESS = (InProcess("vllm", "vllm_model_path"), InProcess("hf", "hf_model_path"))
BACKENDS: tuple[Backend, ...] = (SERVED[0], IN_PROCESS[0], SERVED[1], IN_PROCESS[1], Extractive())
every_engine = pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
served_engines = pytest.mark.parametrize("backend", SERVED, ids=lambda backend: backend.name)
in_process_engines = pytest.mark.parametrize("backend", IN_PROCESS, ids=lambda backend: backend.name)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.01)


@pytest.fixture(autouse=True, scope="module")
def ended() -> Iterator[None]:
    yield
    for backend in IN_PROCESS:
        backend.end()


def test_every_engine_of_the_registry_is_held_to_this() -> None:
    assert [backend.name for backend in BACKENDS] == list(ORDER)


@every_engine
def test_check_says_ready_and_what_answers(backend: Backend) -> None:
    with backend.ready() as engine:
        status = engine.check()
    assert status.ready
    assert status.name == engine.name == backend.name
    assert status.detail
    assert bool(status.model) == backend.has_model
    assert engine.in_process == (backend in IN_PROCESS)


@every_engine
def test_loading_tells_its_progress_and_a_model_in_this_process_is_loaded_once(backend: Backend) -> None:
    with backend.to_load() as engine:
        engine.close()
        assert not engine.loaded
        assert (engine.memory() is not None) == engine.in_process
        stages: list[Progress] = []
        engine.load(stages.append)
        assert engine.loaded
        assert engine.memory() is None
        assert {progress.stage for progress in stages} <= {"loading"}
        assert bool(stages) == backend.has_model
        seen = len(stages)
        engine.load(stages.append)
        assert len(stages) == seen or not engine.in_process


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
def test_check_never_raises_and_is_quick(backend: Served, trouble: Callable[[], AbstractContextManager[str]]) -> None:
    with trouble() as url:
        engine = backend.engine(url)
        begun = time.monotonic()
        status = engine.check()
        assert time.monotonic() - begun < 6, "two seconds, and what a busy machine adds"
        assert not status.ready
        for words in (status.detail, status.hint):
            assert words and "\n" not in words
        engine.close()


@every_engine
def test_it_streams_and_says_how_it_ended(backend: Backend) -> None:
    with backend.ready() as engine:
        for _ in range(20):
            chunks = list(engine.chat_model().stream(PROMPT))
            if len([chunk for chunk in chunks if chunk.text]) > 1:
                break  # vLLM gives what was written since the last look: of a short answer that may be all of it
        else:
            pytest.fail("it never streams")
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
    assert chunks[-1].response_metadata["finish_reason"] == "stop"
    assert [chunk.chunk_position for chunk in chunks].count("last") == 1
    assert "40 m high" in "".join(chunk.text for chunk in chunks)


@every_engine
def test_all_ways_of_asking_give_the_same_text(backend: Backend) -> None:
    async def asynchronous(chat: BaseChatModel) -> tuple[str, str]:
        streamed = "".join([chunk.text async for chunk in chat.astream(PROMPT)])
        return streamed, (await chat.ainvoke(PROMPT)).text

    with backend.ready() as engine:
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

    with backend.ready() as engine:
        answers = asyncio.run(many(engine.chat_model()))
    assert len(answers) == 8
    assert len(set(answers)) == 1


@every_engine
def test_the_model_is_kept_and_close_may_come_twice(backend: Backend) -> None:
    with backend.ready() as engine:
        assert engine.chat_model() is engine.chat_model()
        assert engine.context_window() >= 1024
        if not engine.in_process:  # those are loaded anew in tests of their own: it takes a while
            engine.close()
            engine.close()
            assert engine.chat_model().invoke(PROMPT).text
    if backend in SERVED:
        engine.close()  # its server is gone


@every_engine
def test_a_reader_may_leave_early(backend: Backend) -> None:
    with backend.ready() as engine:
        stream = engine.chat_model().stream(PROMPT)
        assert next(stream).text is not None
        stream.close()  # type: ignore[attr-defined]
        assert engine.chat_model().invoke(PROMPT).text


@served_engines
def test_leaving_early_aborts_the_request(backend: Served) -> None:
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

    with backend.down() as engine:
        begun = time.monotonic()
        with pytest.raises(EngineError) as caught:
            engine.chat_model().invoke("Hello")
        with pytest.raises(EngineError):
            list(engine.chat_model().stream("Hello"))
        if backend not in IN_PROCESS:
            asyncio.run(asynchronous(engine.chat_model()))
        assert time.monotonic() - begun < 3
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@served_engines
def test_a_server_that_comes_back_answers_again(backend: Served) -> None:
    engine = backend.engine(unused_url())
    assert engine.context_window() > 0
    with pytest.raises(EngineError):
        engine.chat_model()
    with backend.ready() as other:
        assert other.chat_model().invoke(PROMPT).text


@in_process_engines
def test_what_cannot_be_loaded_is_told_by_check_and_leaves_nothing_behind(backend: InProcess, tmp_path: Path) -> None:
    folder = tiny_model.make(tmp_path / "broken", shards=True)
    shard = sorted(folder.glob("*.safetensors"))[1]
    shard.write_bytes(shard.read_bytes()[:1000])
    engine = backend.engine(folder)
    status = engine.check()
    assert not status.ready
    assert shard.name in status.detail
    assert status.hint
    with pytest.raises(ModelDamaged):
        engine.load(lambda progress: None)
    assert not engine.loaded
    engine.close()


@in_process_engines
def test_stop_strings_end_an_answer_unsaid(backend: InProcess) -> None:
    with backend.ready() as engine:
        message = engine.chat_model().invoke(PROMPT, stop=["m high"])
    assert message.text.rstrip() == "The tower is 40"
    assert message.response_metadata["finish_reason"] == "stop"


@in_process_engines
def test_an_answer_counts_its_tokens_and_says_when_it_is_cut_off(backend: InProcess) -> None:
    with backend.ready() as engine:
        whole = engine.chat_model().invoke(PROMPT)
        short = engine.chat_model().invoke(PROMPT, max_tokens=2)
    assert whole.usage_metadata and short.usage_metadata
    assert short.usage_metadata["output_tokens"] == 2
    assert short.usage_metadata["input_tokens"] == whole.usage_metadata["input_tokens"] > 10
    assert short.response_metadata["finish_reason"] == "length"
    assert whole.text.startswith(short.text)


@every_engine
def test_an_answer_of_a_fixed_length_goes_on_past_its_end_mark_where_the_engine_can(backend: Backend) -> None:
    with backend.ready() as engine:
        chat = engine.chat_model()
        message = chat.invoke(PROMPT, ignore_eos=True, max_tokens=64)
        as_ever = chat.invoke(PROMPT, max_tokens=64)
    assert message.text.startswith(as_ever.text)
    assert as_ever.response_metadata["finish_reason"] == "stop"
    if backend in IN_PROCESS:
        assert message.response_metadata["finish_reason"] == "length"
        assert message.usage_metadata["output_tokens"] == 64  # type: ignore[attr-defined]


@served_engines
def test_a_server_that_has_fixed_lengths_is_told_of_them_and_no_other(backend: Served) -> None:
    async def asynchronous(chat: BaseChatModel) -> None:
        _ = [chunk async for chunk in chat.astream(PROMPT, ignore_eos=True, return_token_ids=True)]

    with backend.server() as there:
        own = backend.engine(there.url)
        live = LiveChatModel(switch=EngineSwitch(backend.settings(there.url)))
        for chat in (own.chat_model(), live):
            assert list(chat.stream(PROMPT, ignore_eos=True, return_token_ids=True))
            asyncio.run(asynchronous(chat))
        bodies = [request.body for request in there.asked(backend.asked)]
        live.switch.close()
    assert [body.get("ignore_eos") for body in bodies] == [True if backend.name == "vllm_openai" else None] * 4
    assert backend.name == "vllm_openai" or not any("return_token_ids" in body for body in bodies)


@in_process_engines
def test_each_token_is_told_as_it_comes_where_that_is_asked(backend: InProcess) -> None:
    with backend.ready() as engine:
        chunks = list(engine.chat_model().stream(PROMPT, ignore_eos=True, max_tokens=40, return_token_ids=True))
        without = list(engine.chat_model().stream(PROMPT, ignore_eos=True, max_tokens=40))
    told = [chunk.response_metadata["token_ids"] for chunk in chunks]
    assert all(told) and len([token for ids in told for token in ids]) == 40
    assert "".join(chunk.text for chunk in chunks) == "".join(chunk.text for chunk in without)
    assert not any("token_ids" in chunk.response_metadata for chunk in without)


@in_process_engines
def test_what_is_too_long_for_the_model_is_told_before_it_is_asked(backend: InProcess) -> None:
    with backend.ready() as engine, pytest.raises(ContextTooLong):
        engine.chat_model().invoke("too long " * tiny_model.CONTEXT)


@in_process_engines
def test_closing_ends_the_answers_under_way_with_an_error(backend: InProcess) -> None:
    with backend.ready() as engine:
        chat = engine.chat_model()
        faults: list[Exception] = []
        started = threading.Barrier(4)

        def read() -> None:
            started.wait(10)
            try:
                while True:  # one answer after the other, so that the end comes in the midst of some
                    chat.invoke(PROMPT)
            except Exception as error:
                faults.append(error)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        started.wait(10)
        time.sleep(0.2)
        engine.close()
        engine.close()
        for reader in readers:
            reader.join(30)
            assert not reader.is_alive(), "a reader waits for ever"
        assert len(faults) == 3
        assert all(isinstance(fault, EngineError) for fault in faults), faults
