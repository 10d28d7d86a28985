"""What one thread or event loop writes and another reads: the tokens of an engine that runs in this process."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Feed(Generic[T]):
    """One writer, one reader. The reader waits in a thread (:meth:`next`) or on an event loop (:meth:`anext`).

    ``on_close`` is called once, in the reader's thread, when the reader leaves before the end.
    """

    def __init__(self, on_close: Callable[[], None]) -> None:
        self._on_close = on_close
        self._items: deque[T] = deque()
        self._ended = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._wake: Callable[[], object] | None = None

    def put(self, item: T) -> None:
        """Write one item; from any thread, never waits. Without effect once the feed has ended."""
        with self._changed:
            if not self._ended:
                self._items.append(item)
                self._notify()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes; ``error`` is raised at the reader once the items before it are read."""
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
                self._notify()

    def close(self) -> None:
        """The reader leaves."""
        with self._changed:
            left_early, self._ended = not self._ended, True
            self._items.clear()
        if left_early:
            self._on_close()

    def next(self, seconds: float) -> T | None:
        """The next item, None at the end. Raises TimeoutError after ``seconds``, or the writer's error."""
        with self._changed:
            if not self._changed.wait_for(self._ready, seconds):
                raise TimeoutError
            return self._take()

    async def anext(self, seconds: float) -> T | None:
        """:meth:`next` for an event loop."""
        with self._changed:
            if self._ready():  # as it mostly is while a quick engine writes
                return self._take()
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with self._changed:
                        if self._ready():
                            return self._take()
                        woken.clear()
                        self._wake = lambda: loop.call_soon_threadsafe(woken.set)
                    await woken.wait()
        finally:
            with self._changed:
                self._wake = None  # this loop may end now

    def _ready(self) -> bool:
        return bool(self._items) or self._ended

    def _take(self) -> T | None:
        if self._items:
            return self._items.popleft()
        if self._error is not None:
            raise self._error
        return None

    def _notify(self) -> None:
        self._changed.notify_all()
        wake, self._wake = self._wake, None
        if wake is not None:
            try:
                wake()
            except RuntimeError:  # the reader's loop is gone, and the reader with it
                self._items.clear()
