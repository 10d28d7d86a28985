from __future__ import annotations

import asyncio
import statistics
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.benchmark.loading.arrivals import PROCESSES, Process, Schedule, rescaled
from app.benchmark.loading.loops import open_loop
from app.benchmark.prompts import Length
from app.benchmark.target import Hearing
from app.errors import BenchmarkError
from tests.benchmark.parts import FakeTarget, VirtualClock, prompts, say

RATES = st.floats(0.01, 1000)


@given(st.sampled_from(PROCESSES), RATES, st.integers(0, 2**32), st.integers(1, 300))
def test_times_ascend_and_a_seed_gives_the_same(process: Process, rate: float, seed: int, count: int) -> None:
    times = Schedule(rate, process, seed).times(None, count)

    assert len(times) == count
    assert all(one <= other for one, other in pairwise([0.0, *times]))
    assert times == Schedule(rate, process, seed).times(None, count)
    assert times[: count // 2] == Schedule(rate, process, seed).times(None, count // 2 or 1)[: count // 2]


@given(st.sampled_from(PROCESSES), RATES, st.integers(0, 2**32))
@settings(max_examples=30)
def test_the_rate_is_what_was_asked_for(process: Process, rate: float, seed: int) -> None:
    times = Schedule(rate, process, seed).times(None, 4000)

    # Of 4,000 distances the mean deviates by 1/sqrt(4000) = 1.6 %, of bursts by twice that; five deviations.
    assert len(times) / times[-1] == pytest.approx(rate, rel=0.17 if process == "bursty" else 0.09)


@given(RATES, st.floats(0.1, 50))
def test_all_come_within_the_duration(rate: float, duration: float) -> None:
    times = Schedule(rate, "constant").times(duration, 500)

    assert all(0 <= when < duration for when in times)
    if len(times) < 500:
        assert abs(len(times) - rate * duration) <= 1


def test_constant_distances_do_not_drift() -> None:
    times = Schedule(3.0, "constant").times(None, 100_000)

    assert times[-1] == pytest.approx(99_999 / 3, abs=1e-9)


def test_bursts_come_closer_than_chance_and_chance_than_the_clock() -> None:
    def unevenness(process: Process) -> float:
        times = Schedule(5.0, process, 7).times(None, 3000)
        gaps = [other - one for one, other in pairwise(times)]
        return statistics.stdev(gaps) / statistics.mean(gaps)

    assert unevenness("constant") < 0.01
    assert unevenness("poisson") == pytest.approx(1.0, rel=0.15)
    assert unevenness("bursty") == pytest.approx(2.0, rel=0.2)  # 1/sqrt(0.25)


def test_seeds_differ() -> None:
    assert Schedule(5.0, seed=1).times(None, 5) != Schedule(5.0, seed=2).times(None, 5)


@pytest.mark.parametrize(
    ("schedule", "duration", "count"),
    [
        (Schedule(0.0), 10.0, None),
        (Schedule(-1.0), 10.0, None),
        (Schedule(float("nan")), 10.0, None),
        (Schedule(float("inf")), 10.0, None),
        (Schedule(2.0), 0.0, None),
        (Schedule(2.0), float("inf"), None),
        (Schedule(2.0), None, None),
        (Schedule(2.0), None, 0),
        (Schedule(2.0, "bursty", burstiness=0.0), 10.0, None),
        (Schedule(1e6), 1e6, None),
    ],
)
def test_what_cannot_come_is_said(schedule: Schedule, duration: float | None, count: int | None) -> None:
    with pytest.raises(BenchmarkError) as caught:
        schedule.times(duration, count)

    assert caught.value.hint


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=50, unique=True).map(sorted), RATES)
def test_a_recording_keeps_its_pattern_at_another_pace(times: list[float], rate: float) -> None:
    found = rescaled(times, rate)

    assert found[0] == 0
    assert (len(found) - 1) / found[-1] == pytest.approx(rate, rel=1e-6)
    assert all(one <= other for one, other in pairwise(found))


def test_a_recording_of_one_moment_has_no_pace() -> None:
    with pytest.raises(BenchmarkError):
        rescaled([1.0, 1.0], 2.0)


@given(st.sampled_from(PROCESSES), st.floats(0.5, 200), st.floats(0, 0.02), st.floats(0.001, 3))
@settings(max_examples=25)
def test_sending_keeps_to_the_schedule_whatever_the_server_and_the_client_do(
    process: Process, rate: float, work: float, answer: float
) -> None:
    """Each sending costs ``work``: while that is less than the distances, nothing is late by more, and none drifts."""
    clock = VirtualClock()
    times = Schedule(rate, process, 3).times(None, 60)

    async def slow(_: object, hearing: Hearing) -> None:
        clock.spend(work)
        await clock.sleep(answer)
        say(hearing)

    async def main() -> None:
        target = FakeTarget(slow)  # type: ignore[arg-type]
        loop = open_loop(target, prompts(3), times, length=Length(8), clock=clock)
        task = asyncio.ensure_future(loop)
        await clock.run(task)  # type: ignore[arg-type]
        samples = task.result()
        assert [sample.scheduled for sample in samples] == [round(when, 6) for when in times]
        lag = 0.0
        for sample, before in zip(samples, [None, *samples], strict=False):
            free = 0.0 if before is None else before.sent + work
            assert sample.sent == pytest.approx(max(sample.scheduled, free), abs=work + 2e-6)
            lag = sample.lag
        if all(other - one > 2 * work for one, other in pairwise(times)):
            assert lag <= work + 2e-6

    asyncio.run(main())
