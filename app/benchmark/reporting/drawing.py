"""The charts of a report, as SVG. Those with nothing to show are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from app.benchmark.loading.report import LoadReport
from app.benchmark.reporting import drawn_comparison
from app.benchmark.reporting.runs import Report
from app.benchmark.reporting.words import say
from app.benchmark.sample import Sample
from app.charts.axis import fitting, shares, span, upto
from app.charts.lines import Point, Series, lines
from app.sizes import figure
from app.text import Language

TimeOf = Callable[[Sample], float | None]


def charts(report: Report, of: Language) -> list[str]:
    """Of one report."""
    return [*(_load(report, of) if isinstance(report, LoadReport) else drawn_comparison.charts(report, of))]


def _load(report: LoadReport, of: Language) -> Iterator[str]:
    if report.arrivals is not None and report.arrivals.in_flight:
        yield _in_flight(report.arrivals.in_flight, _begin(report), of)
    if report.ok:
        yield _shares(report, of)
        yield _over_the_run(report, "ttft_chart", "ttft_ms", lambda sample: sample.ttft, of)
        yield _over_the_run(report, "wait_chart", "e2e_ms", lambda sample: sample.latency, of)


def _begin(report: LoadReport) -> float:
    """When the first prompt was due; of a run that was stopped before any answer ended, the clock's beginning."""
    return min((sample.scheduled for sample in report.samples), default=0.0)


def _in_flight(seen: Sequence[tuple[float, int]], begin: float, of: Language) -> str:
    points = [(when - begin, float(count)) for when, count in seen]
    time = span(say(of, "into_the_run"), 0, points[-1][0])
    return lines(
        say(of, "in_flight_chart"), time, upto("", max(y for _, y in points)), [Series("", points, kind="steps")]
    )


def _shares(report: LoadReport, of: Language) -> str:
    """How many of the answers had come after how long; in an open loop also from when they were due."""
    wanted: list[tuple[str, TimeOf]] = [("ttft_ms", lambda sample: sample.ttft)]
    if report.arrivals is None:
        wanted.append(("latency_ms", lambda sample: sample.latency))
    else:
        wanted += [("service_ms", lambda sample: sample.service), ("latency_due", lambda sample: sample.latency)]
    curves = []
    for name, time_of in wanted:
        values = sorted(value * 1000 for sample in report.ok if (value := time_of(sample)) is not None)
        points = [(value, place / len(values)) for place, value in enumerate(values, 1)]
        if points:
            curves.append(Series(say(of, name), [(points[0][0], 0.0), *points], kind="steps"))
    reached = [x for curve in curves for x, _ in curve.points]
    return lines(say(of, "cdf_chart"), fitting(say(of, "milliseconds"), reached), shares(), curves)


def _over_the_run(report: LoadReport, title: str, limit: str, time_of: TimeOf, of: Language) -> str:
    """A time of every answer, by when it was sent; those that did not come whole lie on the ground."""
    begin = _begin(report)
    whole: list[Point] = [
        (sample.sent - begin, value * 1000) for sample in report.ok if (value := time_of(sample)) is not None
    ]
    broken = [(sample.sent - begin, 0.0) for sample in report.kept if not sample.ok]
    level = _limit(report, limit, of)
    heights = [y for _, y in whole] + ([level[1]] if level else [])
    time = span(say(of, "into_the_run"), 0, max(sample.sent for sample in report.kept) - begin)
    series = [Series(say(of, "ok"), sorted(whole), kind="dots")]
    series += [Series(say(of, "not_whole"), sorted(broken), kind="dots")] if broken else []
    return lines(say(of, title), time, fitting("", heights), series, level)


def _limit(report: LoadReport, name: str, of: Language) -> tuple[str, float] | None:
    limits = report.goodput.limits if report.goodput else {}
    return (say(of, "limit", ms=figure(limits[name])), limits[name]) if name in limits else None
