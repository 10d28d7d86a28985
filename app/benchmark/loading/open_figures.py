"""What only an open loop has: a beginning that does not count, answers under way, saturation, goodput."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.benchmark.figures import percentile
from app.benchmark.loading.arrival_times import Coming
from app.benchmark.loading.report import Arrivals, Goodput, LoadReport
from app.benchmark.loading.request import ArrivalRequest
from app.benchmark.loading.saturation import lag_valid, over_saturated
from app.benchmark.sample import Sample

_DRAWN = 1000
"""Points of the line of answers under way that are kept."""


def kept_of(samples: Sequence[Sample], plan: Coming, request: ArrivalRequest) -> tuple[list[Sample], list[str]]:
    """``samples``, those of warm-up and cool-down marked, and what is to be said about it."""
    # By the plan's times: a time that was added to the clock's and taken off again is not the same to the last digit.
    high = plan.duration - request.cool_down
    marked = [replace(sample, kept=plan.warm_up <= plan.times[sample.index] <= high) for sample in samples]
    if samples and not any(sample.kept for sample in marked):
        return list(samples), ["Warm-up and cool-down would have left nothing: all requests count."]
    return marked, []


def arrivals_of(
    samples: Sequence[Sample], in_flight: Sequence[tuple[float, int]], plan: Coming, request: ArrivalRequest
) -> Arrivals:
    """How the line grew and whether sending kept up, over what counts."""
    kept = [sample for sample in samples if sample.kept]
    span = _span(kept, plan, request)
    lags = sorted(sample.lag for sample in kept)
    firsts = sorted(sample.ttft for sample in kept if sample.ttft is not None)
    end = kept[-1].scheduled if kept else 0.0
    answered = sum(sample.ok and sample.end <= end for sample in kept)
    why = over_saturated(kept, in_flight)
    step = max(1, len(in_flight) // _DRAWN)
    return Arrivals(
        process=plan.process,
        rate=round(plan.rate, 6),
        sent_rate=round(len(kept) / span, 4) if span else 0.0,
        answered_rate=round(answered / span, 4) if span else 0.0,
        over_saturated=bool(why),
        why=why,
        lag_valid=lag_valid(percentile(lags, 99) if lags else None, percentile(firsts, 50) if firsts else None),
        in_flight=tuple((round(when, 4), count) for when, count in in_flight[::step]),
    )


def _span(kept: Sequence[Sample], plan: Coming, request: ArrivalRequest) -> float:
    """Seconds in which the kept ones came; of an interrupted run as far as it got."""
    whole = plan.duration - plan.warm_up - request.cool_down
    return min(whole, kept[-1].scheduled - kept[0].scheduled + 1 / plan.rate) if kept else 0.0


def goodput_of(report: LoadReport, limits: Mapping[str, float]) -> Goodput | None:
    """How many answers kept all limits; None without limits."""
    if not limits:
        return None
    good = sum(_keeps(sample, limits) for sample in report.ok)
    total = len(report.kept)
    return Goodput(
        dict(limits), good, round(good / total, 6) if total else 0.0,
        round(good / report.seconds, 4) if report.seconds > 0 else 0.0,
    )  # fmt: skip


def _keeps(sample: Sample, limits: Mapping[str, float]) -> bool:
    """A time that is not known, such as between the tokens of an answer of one, breaks no limit."""
    # The first token, too, counts from when the prompt was due: that is what a reader waits.
    first = None if sample.first is None else sample.first - sample.scheduled
    times = {"ttft_ms": first, "tpot_ms": sample.tpot, "e2e_ms": sample.latency}
    # By the microsecond, as in the report: a difference of two times is a little more or less than what it shows.
    return all((found := times[name]) is None or round(found * 1000, 3) <= limit for name, limit in limits.items())
