"""An answer that waits for its turn: who waits, who leaves, what is told."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from app.admission import Admission
from app.conversation.request import Request, Wishes, Writer
from app.conversation.response import Response
from app.errors import EngineUnavailable, HotswapError, TooBusy
from app.schema import Answer
from tests.conversation.parts import Given, Scripted

Ends = list[tuple[Answer, Exception | None, bool]]


def response(admission: Admission, ends: Ends, model: Scripted | None = None, **more: Any) -> Response:
    writer = Writer(model or Scripted(pieces=["It ", "works."]), "e", "m")
    return Response(
        Request(
            "Does it work?", (), None, lambda: writer, turn=admission.enter,
            on_end=lambda answer, error, left: ends.append((answer, error, left)), **more,
        )
    )  # fmt: skip


def until(condition: Any) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_it_waits_for_its_turn_and_leaves_at_its_end() -> None:
    admission, ends = Admission(1, 1), Ends()
    other = admission.enter()
    mine = response(admission, ends)
    assert mine.place == 0 and admission.waiting == 0, "nothing is done before someone listens"
    reader = threading.Thread(target=mine.wait)
    reader.start()
    until(lambda: mine.place == 1)
    other.leave()
    reader.join()
    assert mine.answer.complete and mine.place == 0
    assert (admission.active, admission.waiting) == (0, 0)
    assert [(answer.answer, error, left) for answer, error, left in ends] == [("It works.", None, False)]


def test_waiting_is_told_apart_from_searching() -> None:
    admission = Admission(1, 1)
    other = admission.enter()
    writer = Writer(Scripted(pieces=["x"]), "e", "m")
    mine = Response(Request("Why?", (), lambda: Given(documents=[]), lambda: writer, turn=admission.enter))
    threading.Timer(0.3, other.leave).start()
    timings = mine.wait().timings
    assert timings.total_ms > timings.retrieval_ms + 200, "the other one stayed for 300 ms"


@pytest.mark.parametrize("model", [Scripted(pieces=["x"], error=EngineUnavailable("gone")), Scripted(pieces=[])])
def test_whatever_goes_wrong_the_place_is_free_afterwards(model: Scripted) -> None:
    admission, ends = Admission(1, 0), Ends()
    mine = response(admission, ends, model)
    try:
        mine.wait()
    except HotswapError as error:
        assert ends[0][1] is error
    assert admission.active == 0 and len(ends) == 1 and not ends[0][2]
    assert isinstance(ends[0][1], HotswapError)


def test_a_full_line_is_told_when_the_answer_begins() -> None:
    admission, ends = Admission(1, 0), Ends()
    admission.enter()
    mine = response(admission, ends)
    with pytest.raises(TooBusy):
        mine.wait()
    assert isinstance(ends[0][1], TooBusy)


def test_who_leaves_while_waiting_frees_the_place_in_line_at_once() -> None:
    admission, ends = Admission(1, 1), Ends()
    other = admission.enter()
    model = Scripted(pieces=["x"])
    mine = response(admission, ends, model)
    reader = threading.Thread(target=mine.wait)
    reader.start()
    until(lambda: mine.place == 1)
    mine.close()
    reader.join(30)
    assert not reader.is_alive() and admission.waiting == 0 and model.seen == []
    assert ends[0][2] and not mine.complete
    other.leave()
    assert admission.active == 0


def test_who_left_before_it_began_never_asks() -> None:
    admission, ends = Admission(1, 1), Ends()
    mine = response(admission, ends)
    mine.close()
    assert list(mine) == [] and admission.active == 0


def test_a_cancelled_reader_on_an_event_loop_frees_its_place() -> None:
    async def work() -> tuple[int, int]:
        admission, ends = Admission(1, 5), Ends()
        other = admission.enter()
        mine = response(admission, ends)
        reader = asyncio.ensure_future(mine.wait_async())
        while mine.place != 1:
            await asyncio.sleep(0.005)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert [left for _, _, left in ends] == [True]
        other.leave()
        return admission.active, admission.waiting

    assert asyncio.run(work()) == (0, 0)


def test_wishes_reach_the_model_and_its_prompt() -> None:
    seen: dict[str, Any] = {}

    class Listening(Scripted):
        def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            seen.update(kwargs, stop=stop)
            return super()._stream(messages, stop, run_manager)

    model = Listening(pieces=["Yes."])
    wishes = Wishes(temperature=0.3, max_tokens=7, stop=("END",), instructions="Answer as a pirate.")
    response(Admission(1, 0), [], model, wishes=wishes).wait()
    assert seen == {"temperature": 0.3, "max_tokens": 7, "stop": ["END"]}
    assert model.seen[0][0].text == "Answer as a pirate."
