"""A second route asked for the first token, where the first one keeps its reader waiting: who speaks first, writes.

Source: J. Dean and L. Barroso, The Tail at Scale (2013).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.engines.routing.faults import Fault
from app.engines.routing.stream import Stream

SOONEST = 0.3
"""Seconds before which nobody else is asked."""
SLOW = 3.0
"""Times its usual time to the first token, after which a route is slow."""


def hedge_after(stream: Stream) -> float:
    """Seconds that ``stream`` is waited for alone."""
    return max(SOONEST, SLOW * (stream.live.ttft.value or 0.0))


async def raced(
    one: Stream,
    another: Callable[[], Stream | None],
    lost: Callable[[Stream, Fault | None], None],
) -> tuple[Stream, Fault | None]:
    """The stream that speaks first; where all fail, the last of them with its fault.

    ``lost`` is told of every other one: with its fault, or None for one that was only slower. Those are closed.
    """
    racing = {asyncio.ensure_future(one.first()): one}
    decided = False
    try:
        done, _ = await asyncio.wait(racing, timeout=hedge_after(one))
        if not done and (two := another()) is not None:
            racing[asyncio.ensure_future(two.first())] = two
        while True:
            done, _ = await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                stream = racing.pop(task)
                try:
                    task.result()
                    decided = True
                    return stream, None
                except Fault as fault:
                    await stream.close()
                    if not racing:
                        return stream, fault
                    lost(stream, fault)
    finally:
        for task, stream in racing.items():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await stream.close()
            if decided:  # else the reader has left, and blames nobody
                lost(stream, None)
