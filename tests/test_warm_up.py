"""A warm-up that is stopped in the midst of a step."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.warm_up import WarmUp


class Slow:
    """An engine's switch and a collection of which each search waits for ``go``; the first that ends may fail."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails
        self.began, self.go = threading.Event(), threading.Event()
        self.searches = 0

    @contextmanager
    def lease(self) -> Iterator[object]:
        yield object()

    def load(self, engine: object) -> None: ...

    def names(self) -> list[str]:
        return ["one", "another"]

    def retriever(self, name: str) -> Slow:
        return self

    def search(self, text: str, k: int) -> list[Any]:
        self.searches += 1
        self.began.set()
        assert self.go.wait(60)
        if self.fails:
            raise OSError("the folder is closed")
        return []


@pytest.mark.parametrize("fails", [False, True])
def test_the_step_under_way_ends_and_nothing_follows(fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow(fails=fails)
    warm_up = WarmUp(slow, slow)  # type: ignore[arg-type]
    warm_up.start()
    assert slow.began.wait(60)

    warm_up.stop()
    warm_up.wait(0.05)
    assert not warm_up.done
    slow.go.set()
    warm_up.wait(60)

    assert warm_up.done and slow.searches == 1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_one_that_was_stopped_never_begins() -> None:
    slow = Slow(fails=False)
    warm_up = WarmUp(slow, slow)  # type: ignore[arg-type]
    warm_up.stop()
    warm_up.start()
    warm_up.wait(1)

    assert slow.searches == 0
