"""The engine ``vllm`` as it answers, is left, closed and opened again: one engine, started twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage

from app.engines import reaper
from app.engines.vllm import VllmEngine
from app.errors import ContextTooLong, EngineError, EngineUnavailable, IncompleteAnswer
from app.schema import Progress
from tests.real.conftest import children, wait_until

PROMPT = [SystemMessage("Answer."), HumanMessage("Which engine answers?")]
QUESTIONS = [f"Question {number}: 灯塔的光在哪里？" for number in range(8)]


@pytest.fixture(scope="module")
def chat(loaded: VllmEngine) -> BaseChatModel:
    return loaded.chat_model()


def unfinished(engine: VllmEngine) -> int:
    assert engine._runtime is not None
    return engine._runtime.unfinished()


def reason(chat: BaseChatModel, **options: object) -> str:
    return str(chat.invoke(PROMPT, **options).response_metadata["finish_reason"])  # type: ignore[arg-type]


def test_an_answer_reads_the_same_in_every_way(chat: BaseChatModel) -> None:
    async def asynchronously() -> tuple[str, str]:
        streamed = "".join([chunk.text async for chunk in chat.astream(PROMPT)])
        return streamed, (await chat.ainvoke(PROMPT)).text

    invoked = chat.invoke(PROMPT)
    chunks = list(chat.stream(PROMPT))
    assert {invoked.text} == {"".join(chunk.text for chunk in chunks), *asyncio.run(asynchronously())}


def test_an_answer_streams_beside_whatever_else_computes(chat: BaseChatModel) -> None:
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        pieces = [chunk.text for chunk in chat.stream(PROMPT, max_tokens=600, ignore_eos=True) if chunk.text]
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 4


def test_the_last_piece_counts_the_tokens_and_says_why_it_ended(chat: BaseChatModel) -> None:
    answer = chat.invoke(PROMPT)
    assert answer.usage_metadata is not None  # type: ignore[attr-defined]
    assert answer.usage_metadata["output_tokens"] == 24  # type: ignore[attr-defined]
    assert answer.usage_metadata["input_tokens"] > 10  # type: ignore[attr-defined]
    assert reason(chat) == "length"


def test_eight_threads_and_eight_tasks_at_once_each_get_the_whole_of_their_answer(chat: BaseChatModel) -> None:
    """Alone or in a batch, arithmetic differs in the last bit, so that texts may; their length does not."""

    def read(question: str) -> int:
        chunks = list(chat.stream(question, max_tokens=100))
        assert chunks[-1].response_metadata["finish_reason"] == "length"
        assert chunks[-1].usage_metadata is not None
        return chunks[-1].usage_metadata["output_tokens"]

    async def read_async(question: str) -> int:
        answer = await chat.ainvoke(question, max_tokens=100)
        return int(answer.usage_metadata["output_tokens"])  # type: ignore[attr-defined]

    async def read_all() -> list[int]:
        return await asyncio.gather(*map(read_async, QUESTIONS))

    with ThreadPoolExecutor(9) as threads:
        tasks = threads.submit(asyncio.run, read_all())
        assert list(threads.map(read, QUESTIONS)) == [100] * 8
        assert tasks.result() == [100] * 8


def test_leaving_a_stream_aborts_the_request(loaded: VllmEngine, chat: BaseChatModel) -> None:
    async def leave() -> None:
        for _ in range(5):  # on a busy machine all of an answer may come at once, and is over by then
            stream = chat.astream(PROMPT, max_tokens=1900)
            await anext(stream)
            begun = unfinished(loaded)
            await stream.aclose()  # type: ignore[attr-defined]
            if begun:
                return
        pytest.fail("every answer was over at once")

    async def cancel() -> None:
        reading = asyncio.create_task(chat.ainvoke(PROMPT, max_tokens=1900))
        while not unfinished(loaded):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    async def leave_a_thread() -> None:
        for _ in range(5):
            stream = chat.stream(PROMPT, max_tokens=1900)
            next(stream)
            begun = unfinished(loaded)
            stream.close()  # type: ignore[attr-defined]
            if begun:
                return
        pytest.fail("every answer was over at once")

    for way in (leave_a_thread, leave, cancel):
        assert any(ends_soon(loaded, way) for _ in range(5)), f"the engine writes on for nobody: {way.__name__}"


def ends_soon(engine: VllmEngine, way: Callable[[], Coroutine[Any, Any, None]]) -> bool:
    """Whether the engine stops within two seconds; an answer that is not aborted takes longer.

    A busy machine may stand still for as long: it is tried again.
    """
    asyncio.run(way())
    began = time.monotonic()
    wait_until(lambda: unfinished(engine) == 0, 60)
    return time.monotonic() - began < 2


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_stop_string_ends_the_answer_unsaid(chat: BaseChatModel, length: int) -> None:
    text = chat.invoke("Hello", max_tokens=60).text
    middle = len(text) // 2
    stop = text[middle : middle + length]
    pieces = [chunk.text for chunk in chat.stream("Hello", stop=[stop], max_tokens=60)]
    assert "".join(pieces) == text[: text.index(stop)]
    assert reason(chat, stop=["zzzz"]) == "length"


def test_a_prompt_that_is_too_long_is_refused_at_once(loaded: VllmEngine, chat: BaseChatModel) -> None:
    with pytest.raises(ContextTooLong, match=r"room for 2048"):
        chat.invoke("灯塔" * 4000)
    assert unfinished(loaded) == 0


def test_the_answer_ends_where_the_room_does(loaded: VllmEngine, chat: BaseChatModel) -> None:
    answer = chat.invoke("lighthouse " * 100, max_tokens=5000)
    assert answer.usage_metadata["total_tokens"] == loaded.context_window() == 2048  # type: ignore[attr-defined]


def test_sampling_is_what_was_asked_for(chat: BaseChatModel) -> None:
    answers = {chat.invoke(PROMPT, temperature=1.5).text for _ in range(4)}
    assert len(answers) > 1
    assert len({chat.invoke(PROMPT, temperature=0.0).text for _ in range(3)}) == 1


def test_loading_again_changes_nothing(loaded: VllmEngine) -> None:
    before = children()
    loaded.load(lambda progress: pytest.fail("there is nothing to do"))
    assert loaded.chat_model() is loaded.chat_model()
    assert loaded.memory() is None
    assert loaded.loaded and loaded.check().ready
    assert children() == before


@pytest.mark.soak
def test_closed_while_answering_and_loaded_anew(loaded: VllmEngine) -> None:
    """Readers get an error within seconds, nothing stays; two first readers at once load it once."""
    chat = loaded.chat_model()
    faults: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(1000):
                list(chat.stream(PROMPT, max_tokens=1900))
        except EngineError as error:
            faults.append(error)

    async def read_async() -> None:
        try:
            while True:
                await chat.ainvoke(PROMPT, max_tokens=1900)
        except EngineError as error:
            faults.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    readers.append(threading.Thread(target=lambda: asyncio.run(read_async())))
    for reader in readers:
        reader.start()
    wait_until(lambda: unfinished(loaded) == 4)
    closing = [threading.Thread(target=loaded.close) for _ in range(2)]
    for closer in closing:
        closer.start()
    for thread in readers:
        thread.join(10)
    assert not any(reader.is_alive() for reader in readers)
    assert {type(fault) for fault in faults} <= {IncompleteAnswer, EngineUnavailable}
    assert len(faults) == 4
    for closer in closing:
        closer.join(60)
    assert not loaded.loaded
    assert children() == set()
    with pytest.raises(EngineUnavailable, match="closed"):
        chat.invoke(PROMPT)

    with ThreadPoolExecutor(2) as threads:
        models = list(threads.map(lambda _: loaded.chat_model(), range(2)))
    assert models[0] is models[1] is not chat
    assert models[0].invoke(PROMPT).text


def test_an_engine_process_that_dies_ends_the_answers_and_is_loaded_anew_when_asked(loaded: VllmEngine) -> None:
    chat = loaded.chat_model()
    processes, ours = reaper.running(), children()
    below = [pid for pid in ours if processes[pid].parent != os.getpid()]
    assert below
    stream = chat.stream(PROMPT, max_tokens=1900)
    next(stream)
    for pid in below:  # they compute; the one above them is told
        os.kill(pid, signal.SIGKILL)
    begun = time.monotonic()
    with pytest.raises(IncompleteAnswer, match="tiny"):
        list(stream)
    assert time.monotonic() - begun < 30
    status = loaded.check()
    assert not status.ready
    assert "ended" in status.detail and status.hint
    with pytest.raises(EngineError):
        chat.invoke(PROMPT)
    loaded.close()
    assert children() == set()
    assert loaded.check().ready


def test_loading_can_be_cancelled(loaded: VllmEngine) -> None:
    """As soon as the first process runs, which is when there is something to give back."""

    def cancel(progress: Progress) -> None:
        assert progress.stage == "loading"
        if children():
            raise InterruptedError

    with pytest.raises(InterruptedError):
        loaded.load(cancel)
    assert not loaded.loaded
    assert children() == set()
    assert loaded.check().ready
