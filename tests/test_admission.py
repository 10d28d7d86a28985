"""The line in which everybody stands: so many at once, so many in line, nobody beyond."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.admission import Admission, Turn
from app.errors import ServerStopping, TooBusy


def test_so_many_at_once_then_a_line_then_nobody() -> None:
    admission = Admission(2, 1)
    first, second, third = admission.enter(), admission.enter(), admission.enter()
    assert (first.place, second.place, third.place) == (0, 0, 1)
    assert (admission.active, admission.waiting) == (2, 1)
    with pytest.raises(TooBusy) as caught:
        admission.enter()
    assert caught.value.retry_after >= 1
    first.leave()
    assert third.wait() and third.place == 0
    assert admission.enter().place == 1


def test_first_come_first_served_whoever_gives_up() -> None:
    admission = Admission(1, 9)
    working = admission.enter()
    line = [admission.enter() for _ in range(4)]
    line[1].give_up()
    assert not line[1].wait()
    assert [turn.place for turn in line] == [1, 0, 2, 3]
    working.leave()
    assert line[0].wait() and [turn.place for turn in line] == [0, 0, 1, 2]


def test_giving_up_when_it_is_ones_turn_changes_nothing() -> None:
    admission = Admission(1, 0)
    turn = admission.enter()
    turn.give_up()
    assert turn.wait() and admission.active == 1


def test_leaving_twice_frees_one_place() -> None:
    admission = Admission(2, 0)
    turn, other = admission.enter(), admission.enter()
    turn.leave()
    turn.leave()
    assert admission.active == 1
    other.leave()
    assert admission.active == 0


def test_who_is_cancelled_in_line_is_not_called() -> None:
    async def work() -> tuple[int, int]:
        admission = Admission(1, 5)
        working = admission.enter()
        gone, patient = admission.enter(), admission.enter()
        waiting = asyncio.ensure_future(gone.wait_async())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gone.leave()
        working.leave()
        assert await patient.wait_async()
        return admission.active, admission.waiting

    assert asyncio.run(work()) == (1, 0)


def test_closing_waits_for_those_inside_and_lets_nobody_in() -> None:
    admission = Admission(1, 2)
    working, waiting = admission.enter(), admission.enter()
    ended: list[bool] = []
    closing = threading.Thread(target=lambda: ended.append(admission.close(60)))
    closing.start()
    while True:
        try:
            admission.enter().leave()
        except ServerStopping:
            break
        except TooBusy:
            time.sleep(0.01)
    working.leave()
    assert waiting.wait()
    assert not ended
    waiting.leave()
    closing.join()
    assert ended == [True]


def test_who_still_waits_when_the_patience_ends_is_told() -> None:
    admission = Admission(1, 1)
    admission.enter()
    waiting = admission.enter()
    assert not admission.close(0.05)
    with pytest.raises(ServerStopping):
        waiting.wait()


@given(st.integers(1, 4), st.integers(0, 4), st.lists(st.sampled_from(["enter", "leave", "give up"]), max_size=60))
def test_whatever_happens_the_counts_hold(at_once: int, in_line: int, steps: list[str]) -> None:
    admission = Admission(at_once, in_line)
    inside: list[Turn] = []
    lot = random.Random(len(steps))
    for step in steps:
        if step == "enter":
            try:
                inside.append(admission.enter())
            except TooBusy:
                assert len(inside) == at_once + in_line
        elif inside:
            turn = lot.choice(inside)
            if step == "leave" or turn.place:
                inside.remove(turn)
            turn.leave() if step == "leave" else turn.give_up()
        assert admission.active == min(at_once, len(inside))
        assert admission.waiting == len(inside) - admission.active
        assert sorted(turn.place for turn in inside if turn.place) == list(range(1, admission.waiting + 1))


def test_many_threads_are_never_more_than_allowed_inside() -> None:
    admission = Admission(3, 100)
    inside, most = 0, 0
    lock = threading.Lock()

    def work(_: int) -> None:
        nonlocal inside, most
        turn = admission.enter()
        turn.wait()
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.001)
        with lock:
            inside -= 1
        turn.leave()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(100)))
    assert most <= 3
    assert (admission.active, admission.waiting) == (0, 0)
