from __future__ import annotations

import threading

from app.benchmark.monitor.ticker import Ticker


def test_work_is_done_again_and_again_and_once_more_at_the_end() -> None:
    enough, done = threading.Event(), []

    def work() -> None:
        done.append(threading.current_thread().name)
        if len(done) == 3:
            enough.set()

    ticker = Ticker("a-ticker", 0.001, work)
    assert enough.wait(60)
    before = len(done)

    assert ticker.end(60)
    assert len(done) > before
    assert set(done) == {"a-ticker"}


def test_one_that_is_ended_before_its_time_works_once() -> None:
    done: list[int] = []

    assert Ticker("a-ticker", 3600, lambda: done.append(1)).end(60)
    assert done == [1]


def test_work_that_fails_is_tried_again() -> None:
    enough, tries = threading.Event(), []

    def work() -> None:
        tries.append(1)
        if len(tries) == 3:
            enough.set()
        raise RuntimeError("a driver of an odd kind")

    ticker = Ticker("a-ticker", 0.001, work)

    assert enough.wait(60)
    assert ticker.end(60)


def test_work_that_hangs_is_left_behind() -> None:
    over, begun = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        over.wait()

    ticker = Ticker("a-ticker", 0.001, work)
    assert begun.wait(60)

    assert not ticker.end(0.01)
    over.set()
    assert ticker.end(60)
