"""The chat model over a feed: an engine is a list of pieces here."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from app.engines.feed import Feed
from app.engines.local_chat import LocalChatModel, Piece, Sampling, Turns, turns
from app.errors import (
    ContextTooLong,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    IncompleteAnswer,
)

WHOLE = (Piece("The "), Piece("灯塔."), Piece("", "stop", 7, 3))


class Scripted:
    """An engine that says ``pieces``, then fails with ``error``; without an end it hangs."""

    def __init__(self, *pieces: Piece, error: Exception | None = None, ends: bool = True) -> None:
        self.pieces = pieces
        self.error = error
        self.ends = ends
        self.asked: list[tuple[Turns, Sampling]] = []
        self.left = threading.Event()
        self.pause = 0.0

    def begin(self, said: Turns, sampling: Sampling) -> Feed[Piece]:
        time.sleep(self.pause)
        self.asked.append((said, sampling))
        feed: Feed[Piece] = Feed(self.left.set)
        for piece in self.pieces:
            feed.put(piece)
        if self.ends or self.error:
            feed.end(self.error)
        return feed


def model(begin: Callable[[Turns, Sampling], Feed[Piece]], patience: float = 5.0) -> LocalChatModel:
    return LocalChatModel(model_name="tiny", begin=begin, temperature=0.5, top_p=0.9, max_tokens=100, patience=patience)


def fault(chat: LocalChatModel) -> EngineError:
    """The same synchronously, asynchronously, streamed and whole."""

    async def stream() -> None:
        async for _ in chat.astream("Hello"):
            pass

    ways: list[Callable[[], Any]] = [
        lambda: chat.invoke("Hello"),
        lambda: list(chat.stream("Hello")),
        lambda: asyncio.run(chat.ainvoke("Hello")),
        lambda: asyncio.run(stream()),
    ]
    caught = []
    for way in ways:
        with pytest.raises(EngineError) as error:
            way()
        caught.append(error.value)
    assert len({(type(error), str(error)) for error in caught}) == 1
    return caught[0]


def test_the_pieces_are_the_answer() -> None:
    chat = model(Scripted(*WHOLE).begin)
    chunks = list(chat.stream("Hello"))
    assert [chunk.text for chunk in chunks] == ["The ", "灯塔.", ""]
    assert chunks[-1].response_metadata == {"finish_reason": "stop", "model_name": "tiny"}
    answer = chat.invoke("Hello")
    assert answer.text == asyncio.run(chat.ainvoke("Hello")).text == "The 灯塔."
    assert answer.usage_metadata == {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


def test_sampling_comes_from_the_settings_unless_the_call_says_otherwise() -> None:
    engine = Scripted(*WHOLE)
    chat = model(engine.begin)
    chat.invoke("Hello")
    chat.invoke("Hello", stop=["\n"], temperature=0, max_tokens=3, top_p=1)
    asyncio.run(chat.ainvoke("Hello", stop=["a", "b"]))
    assert [sampling for _, sampling in engine.asked] == [
        Sampling(0.5, 0.9, 100),
        Sampling(0.0, 1.0, 3, ("\n",)),
        Sampling(0.5, 0.9, 100, ("a", "b")),
    ]


def test_a_callback_sees_each_piece() -> None:
    seen: list[str] = []

    class Handler(BaseCallbackHandler):
        def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
            seen.append(token)

    chat = model(Scripted(*WHOLE).begin)
    chat.invoke("Hello", config={"callbacks": [Handler()]})
    asyncio.run(chat.ainvoke("Hello", config={"callbacks": [Handler()]}))
    assert seen == ["The ", "灯塔.", ""] * 2


def test_an_engine_that_will_not_begin_says_why() -> None:
    def refuse(said: Turns, sampling: Sampling) -> Feed[Piece]:
        raise ContextTooLong("It is too long.", "Ask less.")

    assert isinstance(fault(model(refuse)), ContextTooLong)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EngineUnavailable("It was closed.", "Ask again."), EngineUnavailable),
        (ContextTooLong("Too long.", "Ask less."), ContextTooLong),
        (ValueError("odd"), EngineUnavailable),
        (TimeoutError(), EngineTimeout),
    ],
)
def test_a_fault_before_the_first_piece_says_what_it_is(error: Exception, kind: type[EngineError]) -> None:
    caught = fault(model(Scripted(error=error).begin))
    assert type(caught) is kind
    assert caught.hint


def test_a_fault_after_the_first_piece_breaks_the_answer_off() -> None:
    closed = EngineUnavailable("tiny was closed.", "Ask again.")
    caught = fault(model(Scripted(WHOLE[0], error=closed).begin))
    assert type(caught) is IncompleteAnswer
    assert caught.message == "The answer of tiny broke off: tiny was closed."


def test_an_end_without_an_end_mark_is_no_whole_answer() -> None:
    assert isinstance(fault(model(Scripted(*WHOLE[:2]).begin)), IncompleteAnswer)
    assert isinstance(fault(model(Scripted().begin)), EngineUnavailable)


def test_waiting_has_an_end_and_the_engine_is_told() -> None:
    engine = Scripted(ends=False)
    assert isinstance(fault(model(engine.begin, patience=0.05)), EngineTimeout)
    assert engine.left.is_set()
    engine = Scripted(WHOLE[0], ends=False)
    caught = fault(model(engine.begin, patience=0.05))
    assert isinstance(caught, IncompleteAnswer)
    assert "0.05 seconds" in caught.message
    assert engine.left.is_set()


def test_leaving_early_tells_the_engine() -> None:
    engine = Scripted(WHOLE[0], ends=False)
    stream = model(engine.begin).stream("Hello")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert engine.left.wait(1)

    async def leave() -> None:
        stream = model(engine.begin).astream("Hello")
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        assert await asyncio.to_thread(engine.left.wait, 1)

    engine.left.clear()
    asyncio.run(leave())


def test_a_reader_cancelled_while_the_answer_begins_leaves_none_behind() -> None:
    engine = Scripted(ends=False)
    engine.pause = 0.2

    async def cancel() -> None:
        reading = asyncio.create_task(model(engine.begin).ainvoke("Hello"))
        await asyncio.sleep(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await asyncio.to_thread(engine.left.wait, 5)

    asyncio.run(cancel())


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([HumanMessage("a")], [("user", "a")]),
        ([SystemMessage("s"), HumanMessage("a")], [("system", "s"), ("user", "a")]),
        ([HumanMessage("a"), HumanMessage("b")], [("user", "a\n\nb")]),
        ([HumanMessage("a"), AIMessage("b"), HumanMessage("c")], [("user", "a"), ("assistant", "b"), ("user", "c")]),
        ([HumanMessage([{"type": "text", "text": "灯塔"}])], [("user", "灯塔")]),
        ([], []),
    ],
)
def test_messages_become_turns_that_alternate(messages: list[BaseMessage], expected: list[tuple[str, str]]) -> None:
    assert [(turn["role"], turn["content"]) for turn in turns(messages)] == expected
