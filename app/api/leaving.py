"""Readers who hang up: whoever leaves before the answer stops the work for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

T = TypeVar("T")


class ReaderLeft(Exception):
    """The client has closed its connection; nobody is there to be told."""


async def unless_left(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """``work``'s result. It is cancelled, and ReaderLeft raised, when the client hangs up first.

    The body of ``request`` must have been read.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ReaderLeft
        return working.result()
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)  # what the work must put away, it does here


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
