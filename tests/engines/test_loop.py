"""One event loop for every engine of the process, beside the caller's own."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from app.engines.loop import engine_loop, submit


async def whereabouts() -> tuple[asyncio.AbstractEventLoop, str]:
    return asyncio.get_running_loop(), threading.current_thread().name


def test_everyone_gets_the_same_loop_in_a_thread_of_its_own() -> None:
    async def from_a_loop() -> tuple[asyncio.AbstractEventLoop, str]:
        return await asyncio.wrap_future(submit(whereabouts()))

    with ThreadPoolExecutor(8) as threads:
        loops = set(threads.map(lambda _: engine_loop(), range(32)))
    assert {asyncio.run(from_a_loop()), submit(whereabouts()).result(5)} == {(loops.pop(), "engine-loop")}
    assert not loops
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "engine-loop"] == [True]


def test_cancelling_from_outside_cancels_the_work() -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    future = submit(work())
    assert begun.wait(5)
    future.cancel()
    assert cancelled.wait(5)
    with pytest.raises(CancelledError):
        future.result(5)


def test_what_the_work_raises_is_raised_at_the_caller() -> None:
    async def work() -> None:
        raise ValueError("meant")

    with pytest.raises(ValueError, match="meant"):
        submit(work()).result(5)
