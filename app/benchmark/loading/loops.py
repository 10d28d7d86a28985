"""The two ways to load a target: readers who ask as soon as they have an answer, and prompts that come when they come.

Closed loop: so many readers, each with one question at a time. A slow server is asked less. Open loop: a schedule made
beforehand; a slow server has a line before it, as in life.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, islice

from app.benchmark.loading.asking import PATIENCE, Asker, OnSample, OnSent
from app.benchmark.loading.clock import Clock
from app.benchmark.prompts import Length, Prompt
from app.benchmark.sample import Sample
from app.benchmark.target import Target


async def closed_loop(
    target: Target,
    prompts: Sequence[Prompt],
    *,
    readers: int,
    requests: int,
    length: Length,
    clock: Clock,
    on_sample: OnSample = lambda sample, text: None,
    patience: float = PATIENCE,
) -> list[Sample]:
    """``requests`` prompts asked by ``readers``, in turn from ``prompts``; the samples in the order of asking.

    ``patience``: seconds without a token after which an answer is given up. An exception of ``on_sample``, or a
    cancellation, ends the run; those under way are aborted.
    """
    samples: list[Sample] = []
    asker = Asker(target, length, clock, noting(samples, on_sample), patience=patience)
    waiting = islice(cycle(prompts), requests)

    async def read() -> None:
        for prompt in waiting:
            await asker.ask(prompt, clock.now())

    async with together(asker) as group:
        for _ in range(min(readers, requests)):
            group.create_task(read())
    return sorted(samples, key=lambda sample: sample.index)


async def open_loop(
    target: Target,
    prompts: Sequence[Prompt],
    times: Sequence[float],
    *,
    length: Length,
    clock: Clock,
    on_sample: OnSample = lambda sample, text: None,
    on_sent: OnSent = lambda now, under_way: None,
    patience: float = PATIENCE,
) -> list[Sample]:
    """A prompt at each of ``times`` (ascending seconds of the clock), whoever still waits; then the rest is waited for.

    Otherwise as :func:`closed_loop`.
    """
    samples: list[Sample] = []
    asker = Asker(target, length, clock, noting(samples, on_sample), on_sent=on_sent, patience=patience)
    async with together(asker) as group:
        for when, prompt in zip(times, cycle(prompts), strict=False):
            await clock.sleep_until(when)
            group.create_task(asker.ask(prompt, when))
    return sorted(samples, key=lambda sample: sample.index)


def noting(samples: list[Sample], on_sample: OnSample) -> OnSample:
    """``on_sample`` that keeps the samples as well."""

    def took(sample: Sample, text: str) -> None:
        samples.append(sample)
        on_sample(sample, text)

    return took


@asynccontextmanager
async def together(asker: Asker) -> AsyncIterator[asyncio.TaskGroup]:
    """Requests that end together where one raises; its exception comes out by itself."""
    try:
        async with asker.patience(), asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
