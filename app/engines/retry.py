"""Trying again while the reader has seen nothing yet."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing
from typing import TypeVar

from app.errors import EngineError

T = TypeVar("T")
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0


class TryAgain(Exception):
    """Raised before the first token by an attempt whose ``error`` may pass by itself.

    With ``corrected`` the next attempt is another one, which the error does not concern: it is made at once, and
    counts as none of the retries.
    """

    def __init__(self, error: EngineError, *, corrected: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.corrected = corrected


def pause(attempt: int) -> float:
    """Seconds to wait after ``attempt`` (from 0): doubling, with jitter so that clients come apart."""
    return random.uniform(0.5, 1.0) * min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**attempt)


def retrying(attempt: Callable[[], Generator[T, None, None]], retries: int) -> Generator[T, None, None]:
    """What ``attempt()`` yields, begun again up to ``retries`` times when it raises TryAgain.

    Raises:
        EngineError: the last attempt's.
    """
    failed = 0
    while True:
        try:
            with closing(attempt()) as parts:
                yield from parts
            return
        except TryAgain as again:
            if again.corrected:
                continue
            if failed == retries:
                raise again.error from again.__cause__
        time.sleep(pause(failed))
        failed += 1


async def aretrying(attempt: Callable[[], AsyncGenerator[T, None]], retries: int) -> AsyncGenerator[T, None]:
    """The asynchronous twin of :func:`retrying`."""
    failed = 0
    while True:
        try:
            async with aclosing(attempt()) as parts:
                async for part in parts:
                    yield part
            return
        except TryAgain as again:
            if again.corrected:
                continue
            if failed == retries:
                raise again.error from again.__cause__
        await asyncio.sleep(pause(failed))
        failed += 1
