"""The event loop of the engines that run in this process: one for all of them, in a thread of its own.

Readers come from any thread and any loop of theirs; what an engine does asynchronously it does here.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def _forget() -> None:
    """In a process that was forked off: the thread has stayed in the other one."""
    global _lock, _loop
    _lock, _loop = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def engine_loop() -> asyncio.AbstractEventLoop:
    """The loop, started on first use; it ends with the process."""
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="engine-loop", daemon=True).start()
        return _loop


def submit(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Have ``work`` done on the loop; cancelling the future cancels it there."""
    return asyncio.run_coroutine_threadsafe(work, engine_loop())
