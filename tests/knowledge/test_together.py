"""Several threads ask one model together: each gets its own, and they wait no longer than for one call."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.knowledge.together import Together


def vectors(texts: Sequence[str]) -> np.ndarray:
    return np.array([[float(text), 1.0] for text in texts], dtype="float32").reshape(len(texts), 2)


def test_each_gets_its_own_in_its_order() -> None:
    calls: list[int] = []

    def work(texts: Sequence[str]) -> np.ndarray:
        calls.append(len(texts))
        time.sleep(0.001)
        return vectors(texts)

    together = Together(work)
    asked = [[str(number), str(number + 0.5)] for number in range(200)]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(together, asked))
    for texts, mine in zip(asked, found, strict=True):
        assert mine.tolist() == vectors(texts).tolist()
    assert sum(calls) == 400 and len(calls) < 200, "who waits goes along with the next"


def test_nobody_at_all_and_nothing_asked() -> None:
    assert Together(vectors)([]).shape == (0, 2)


def test_those_who_wait_go_in_one_call() -> None:
    calls: list[list[str]] = []
    begun, go_on = threading.Event(), threading.Event()

    def work(texts: Sequence[str]) -> np.ndarray:
        calls.append(list(texts))
        begun.set()
        assert go_on.wait(30)
        return vectors(texts)

    together = Together(work)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(together, ["0"])
        assert begun.wait(30)
        others = [pool.submit(together, [str(number)]) for number in (1, 2, 3)]
        while len(together._waiting) < 3:
            time.sleep(0.005)
        go_on.set()
        assert [float(one.result()[0][0]) for one in (first, *others)] == [0.0, 1.0, 2.0, 3.0]
    assert [sorted(call) for call in calls] == [["0"], ["1", "2", "3"]]


def test_a_failure_is_told_to_each_and_the_next_call_is_a_new_one() -> None:
    fails = True

    def work(texts: Sequence[str]) -> np.ndarray:
        if fails:
            raise RuntimeError("no model")
        return vectors(texts)

    together = Together(work)
    with ThreadPoolExecutor(4) as pool:
        for failed in [pool.submit(together, ["1"]) for _ in range(4)]:
            with pytest.raises(RuntimeError, match="no model"):
                failed.result()
    fails = False
    assert together(["2"]).tolist() == [[2.0, 1.0]]
