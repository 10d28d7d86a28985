"""One writes, another reads: in a thread or on a loop, in order, to the end or not."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engines.feed import Feed


def feed() -> tuple[Feed[int], list[str]]:
    closed: list[str] = []
    return Feed(lambda: closed.append("closed")), closed


def write(target: Feed[int], items: list[int], error: Exception | None = None) -> threading.Thread:
    def run() -> None:
        for item in items:
            target.put(item)
        target.end(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def read(source: Feed[int]) -> list[int]:
    found = []
    while (item := source.next(5)) is not None:
        found.append(item)
    return found


async def aread(source: Feed[int]) -> list[int]:
    found = []
    while (item := await source.anext(5)) is not None:
        found.append(item)
    return found


@given(st.lists(st.integers(), max_size=50))
def test_everything_comes_in_order_in_a_thread_and_on_a_loop(items: list[int]) -> None:
    source, closed = feed()
    thread = write(source, items)
    assert read(source) == items
    thread.join()
    source.close()
    source, _ = feed()
    thread = write(source, items)
    assert asyncio.run(aread(source)) == items
    thread.join()
    assert closed == []


def test_an_error_comes_after_the_items_before_it_and_again() -> None:
    source, _ = feed()
    write(source, [1, 2], ValueError("meant")).join()
    assert [source.next(1), source.next(1)] == [1, 2]
    for _ in range(2):
        with pytest.raises(ValueError, match="meant"):
            source.next(1)
    with pytest.raises(ValueError, match="meant"):
        asyncio.run(source.anext(1))


def test_the_first_end_counts() -> None:
    source, _ = feed()
    source.end(ValueError("first"))
    source.end(KeyError("second"))
    source.put(3)
    with pytest.raises(ValueError, match="first"):
        source.next(1)


def test_nothing_in_time_is_a_timeout() -> None:
    source, _ = feed()
    with pytest.raises(TimeoutError):
        source.next(0.01)
    with pytest.raises(TimeoutError):
        asyncio.run(source.anext(0.01))
    source.put(7)
    assert source.next(1) == 7


def test_leaving_early_tells_the_writer_once() -> None:
    source, closed = feed()
    source.put(1)
    source.close()
    source.close()
    source.put(2)
    source.end()
    assert closed == ["closed"]
    assert source.next(1) is None


def test_leaving_after_the_end_tells_nobody() -> None:
    source, closed = feed()
    source.end()
    source.close()
    assert closed == []


def test_a_reader_whose_loop_is_gone_harms_nobody() -> None:
    source, _ = feed()

    async def leave() -> None:
        waiting = asyncio.ensure_future(source.anext(5))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(leave())
    source.put(1)
    source.put(2)
    source.end()


def test_a_reader_that_waits_is_woken_by_another_thread() -> None:
    source, _ = feed()

    async def wait() -> int | None:
        waiting = asyncio.ensure_future(source.anext(5))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(source.put, 4)
        return await waiting

    assert asyncio.run(wait()) == 4
