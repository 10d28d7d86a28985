"""Prompts, a clock that nobody waits for, and targets that do as they are told."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from app.benchmark.prompt_file import user
from app.benchmark.prompts import Length, Prompt
from app.benchmark.target import Hearing, TargetFault


def prompt(number: int = 1, **more: object) -> Prompt:
    return Prompt(str(number), user(f"What is number {number}?"), **more)  # type: ignore[arg-type]


def prompts(count: int) -> list[Prompt]:
    return [prompt(number) for number in range(1, count + 1)]


class VirtualClock:
    """Time that passes only where somebody waits for it; use :meth:`run`."""

    def __init__(self) -> None:
        self._now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> float:
        return self._now

    def spend(self, seconds: float) -> None:
        """Work that keeps everybody waiting."""
        self._now += seconds

    async def sleep_until(self, when: float) -> None:
        if when > self._now:
            self._count += 1
            waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._sleepers, (when, self._count, waker))
            await waker

    async def sleep(self, seconds: float) -> None:
        await self.sleep_until(self._now + seconds)

    async def run(self, work: asyncio.Task[object]) -> None:
        """Let time pass until ``work`` is done."""
        while not work.done():
            for _ in range(10):  # whoever can go on without time passing does
                await asyncio.sleep(0)
            if self._sleepers and not work.done():
                when, _, waker = heapq.heappop(self._sleepers)
                self._now = max(self._now, when)
                if not waker.done():
                    waker.set_result(None)


class FakeTarget:
    """Answers by ``says``, which may wait on the clock and raise."""

    name, model = "fake", "fake-1"

    def __init__(self, says: Callable[[Prompt, Hearing], object] | None = None) -> None:
        self._says = says
        self.lengths: list[Length] = []
        self.at_once = self.most_at_once = 0

    async def answer(self, prompt: Prompt, length: Length, hearing: Hearing) -> None:
        self.lengths.append(length)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            done = self._says(prompt, hearing) if self._says else say(hearing)
            if asyncio.iscoroutine(done):
                await done
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        pass


def say(hearing: Hearing, *words: str) -> None:
    """A whole answer, at once."""
    for word in words or ("one ", "two"):
        hearing.piece(word)
    hearing.finish_reason = "length"
    hearing.usage(5, len(words) or 2)


def refuse(prompt: Prompt, hearing: Hearing) -> None:
    raise TargetFault("http_500", "HTTP 500: as told")
