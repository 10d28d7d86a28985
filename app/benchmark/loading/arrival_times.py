"""Which prompt of an open loop comes when: by a rate, or as it was recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.benchmark.loading import trace_file
from app.benchmark.loading.arrivals import Schedule, rescaled
from app.benchmark.loading.request import WARM_UP_SHARE, ArrivalRequest
from app.benchmark.prompts import Prompt
from app.errors import BenchmarkError


@dataclass(frozen=True)
class Coming:
    """``prompts`` at ``times`` (seconds), over ``duration``; ``rate`` is what was wanted, prompts a second."""

    prompts: Sequence[Prompt]
    times: Sequence[float]
    process: str
    rate: float
    duration: float
    warm_up: float


def coming(request: ArrivalRequest, make: Callable[[int], Sequence[Prompt]]) -> Coming:
    """The plan of ``request``; ``make`` gives so many prompts where none were recorded.

    Raises:
        BenchmarkError: nothing would come, or the recording cannot be used.
    """
    if request.trace is not None:
        return _recorded(request, request.trace)
    rate = request.rate or 0.0
    schedule = Schedule(rate, request.process, request.seed, request.burstiness)
    times = schedule.times(request.duration, request.count)
    if not times:
        raise BenchmarkError(
            f"In {request.duration:g} seconds nothing comes at {rate:g} a second.", "Give a longer duration or a rate."
        )
    duration = request.duration if request.count is None and request.duration else times[-1]
    return _plan(request, make(len(times)), times, request.process, rate, duration)


def _recorded(request: ArrivalRequest, text: str) -> Coming:
    prompts = trace_file.parse(text, request.trace_name or "the recording", request.seed)
    times = [prompt.at or 0.0 for prompt in prompts]
    if request.rate is not None:
        times = rescaled(times, request.rate)
    most = len(times) if request.count is None else min(request.count, len(times))
    if request.duration is not None:
        most = min(most, sum(when < request.duration for when in times))
    if most < 1:
        raise BenchmarkError("Nothing of the recording comes in that time.", "Give a longer duration, or more prompts.")
    prompts, times = prompts[:most], times[:most]
    rate = (most - 1) / times[-1] if times[-1] > 0 else float(most)
    return _plan(request, prompts, times, "trace", rate, times[-1])


def _plan(
    request: ArrivalRequest,
    prompts: Sequence[Prompt],
    times: Sequence[float],
    process: str,
    rate: float,
    duration: float,
) -> Coming:
    warm_up = WARM_UP_SHARE * duration if request.warm_up is None else request.warm_up
    return Coming(prompts, times, process, rate, duration, warm_up)
