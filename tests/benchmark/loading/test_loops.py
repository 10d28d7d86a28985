from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from app.benchmark.loading.clock import RealClock
from app.benchmark.loading.loops import closed_loop, open_loop
from app.benchmark.prompts import Length, Prompt
from app.benchmark.sample import Sample
from app.benchmark.target import Hearing
from app.jobs import Cancelled
from tests.benchmark.parts import FakeTarget, VirtualClock, prompt, prompts, refuse, say

LENGTH = Length(8)


def within(clock: VirtualClock, work: Coroutine[Any, Any, list[Sample]]) -> list[Sample]:
    async def main() -> list[Sample]:
        task = asyncio.ensure_future(work)
        await clock.run(task)  # type: ignore[arg-type]
        return task.result()

    return asyncio.run(main())


def slow(clock: VirtualClock, seconds: float) -> FakeTarget:
    async def says(_: Prompt, hearing: Hearing) -> None:
        await clock.sleep(seconds / 2)
        hearing.piece("one ")
        await clock.sleep(seconds / 2)
        say(hearing, "two")
        hearing.usage(5, 2)

    return FakeTarget(says)


def test_readers_ask_as_soon_as_they_have_an_answer() -> None:
    clock = VirtualClock()
    target = slow(clock, 2.0)
    samples = within(clock, closed_loop(target, prompts(3), readers=4, requests=10, length=LENGTH, clock=clock))

    assert len(samples) == 10
    assert target.most_at_once == 4
    assert [sample.index for sample in samples] == list(range(10))
    assert [sample.prompt for sample in samples] == [str(number % 3 + 1) for number in range(10)]
    assert [sample.sent for sample in samples] == [0] * 4 + [2] * 4 + [4] * 2
    assert all(sample.ttft == 1 and sample.latency == 2 and sample.tpot == 1 for sample in samples)


def test_no_more_readers_come_than_there_are_requests() -> None:
    target = FakeTarget()
    asyncio.run(closed_loop(target, prompts(1), readers=50, requests=2, length=LENGTH, clock=RealClock()))

    assert len(target.lengths) == 2


def test_prompts_may_bring_a_length_of_their_own() -> None:
    target = FakeTarget()
    own = [prompt(1, max_tokens=3), prompt(2)]
    asyncio.run(closed_loop(target, own, readers=1, requests=2, length=LENGTH, clock=RealClock()))

    assert target.lengths == [Length(3), LENGTH]


def test_an_open_loop_does_not_wait_for_answers() -> None:
    clock = VirtualClock()
    seen: list[tuple[float, int]] = []
    loop = open_loop(
        slow(clock, 10.0), prompts(2), [0.0, 1.0, 2.0, 2.5], length=LENGTH, clock=clock,
        on_sent=lambda when, under_way: seen.append((when, under_way)),
    )  # fmt: skip
    samples = within(clock, loop)

    assert [sample.sent for sample in samples] == [0.0, 1.0, 2.0, 2.5]
    assert [sample.end for sample in samples] == [10.0, 11.0, 12.0, 12.5]
    assert seen == [(0.0, 1), (1.0, 2), (2.0, 3), (2.5, 4)]


def test_one_failure_is_one_failure() -> None:
    def says(asked: Prompt, hearing: Hearing) -> None:
        if asked.id == "2":
            refuse(asked, hearing)
        if asked.id == "3":
            raise ZeroDivisionError("odd")
        say(hearing)

    samples = asyncio.run(
        closed_loop(FakeTarget(says), prompts(4), readers=2, requests=4, length=LENGTH, clock=RealClock())
    )

    assert [sample.kind for sample in samples] == ["", "http_500", "unexpected", ""]
    assert "ZeroDivisionError" in samples[2].error


def test_who_raises_while_being_told_ends_the_run() -> None:
    def stop(sample: Sample, text: str) -> None:
        if sample.index == 3:
            raise Cancelled

    ended: list[str] = []

    async def says(asked: Prompt, hearing: Hearing) -> None:
        if asked.id == "5":
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(asked.id)
        say(hearing)

    order = [prompt(5), *prompts(4), *prompts(4)]
    with pytest.raises(Cancelled):
        asyncio.run(
            closed_loop(
                FakeTarget(says), order, readers=2, requests=9, length=LENGTH, clock=RealClock(), on_sample=stop
            )
        )

    assert ended == ["5"]


def test_silence_is_given_up_and_the_reader_asks_on() -> None:
    async def says(asked: Prompt, hearing: Hearing) -> None:
        if asked.id == "2":
            hearing.piece("one ")
        if asked.id in "12":
            await asyncio.sleep(60)
        say(hearing)

    samples = asyncio.run(
        closed_loop(FakeTarget(says), prompts(4), readers=1, requests=4, length=LENGTH, clock=RealClock(), patience=0.2)
    )

    assert [(sample.outcome, sample.kind) for sample in samples] == [
        ("failed", "timeout"), ("truncated", "stalled"), ("ok", ""), ("ok", ""),
    ]  # fmt: skip


def test_the_real_clock_keeps_its_times() -> None:
    async def main() -> list[float]:
        clock = RealClock()
        await clock.sleep_until(-1.0)
        found = []
        for when in (0.01, 0.0105, 0.02):
            await clock.sleep_until(when)
            found.append(clock.now() - when)
        return found

    assert min(asyncio.run(main())) >= 0
