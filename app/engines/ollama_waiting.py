"""Requests that an Ollama server answers after minutes: who waits is told meanwhile, and may give up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

LOAD_SECONDS = 600.0
"""For a model that must be read from disk first: Ollama sends no byte meanwhile."""
TICK_SECONDS = 0.25


async def waiting(work: Awaitable[T], meanwhile: Callable[[], None]) -> T:
    """What ``work`` gives; ``meanwhile`` is called at once and then every TICK_SECONDS, and by raising ends it."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            meanwhile()
            await asyncio.wait({task}, timeout=TICK_SECONDS)
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
