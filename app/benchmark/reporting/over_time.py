"""Several reports of one kind beside each other, from the oldest to the newest: is it getting faster or slower?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.benchmark.comparisons.report import ComparisonReport
from app.benchmark.loading.report import LoadReport
from app.benchmark.reporting import telling, told_comparison, told_load
from app.benchmark.reporting.grid import NOTHING, Grid
from app.benchmark.reporting.runs import Report
from app.benchmark.reporting.words import counted, say
from app.charts.axis import Axis, fitting
from app.charts.lines import Series, lines
from app.errors import BenchmarkError
from app.sizes import figure
from app.text import Language


@dataclass(frozen=True)
class Point:
    """What one run says of one engine under one load; None where it says nothing. ``first`` is in milliseconds.

    ``parts`` are who was asked and how: only those that are alike in all of them can be compared.
    """

    run: int
    parts: tuple[str, ...]
    tokens_per_second: float | None
    answers_per_second: float | None
    first: float | None


@dataclass(frozen=True)
class Followed:
    """``reports`` from the oldest to the newest; ``readers`` of the load that comparisons have in common."""

    reports: Sequence[Report]
    points: Sequence[Point]
    readers: int | None = None

    def name(self, point: Point) -> str:
        """What tells it from the others; nothing where all are alike."""
        others = {other.parts for other in self.points}
        return " · ".join(part for at, part in enumerate(point.parts) if len({parts[at] for parts in others}) > 1)


def follow(reports: Sequence[Report], of: Language) -> Followed:
    """Of comparisons the load with the most readers, and of it the shortest conversations, that all have in common.

    Raises:
        BenchmarkError: they are of several kinds.
    """
    ordered = sorted(reports, key=lambda report: report.id)
    kinds = sorted({report.kind for report in ordered})
    if len(kinds) > 1:
        raise BenchmarkError(
            f"Reports of several kinds ({', '.join(kinds)}) cannot be followed over time.", "Choose some of one kind."
        )
    loads = [report for report in ordered if isinstance(report, LoadReport)]
    if loads:
        return Followed(loads, [_load(number, report, of) for number, report in enumerate(loads)])
    comparisons = [report for report in ordered if isinstance(report, ComparisonReport)]
    common = set.intersection(*({(cell.readers, cell.turns) for cell in one.cells} for one in comparisons))
    if not common:
        return Followed(comparisons, [])
    readers, turns = max(common, key=lambda load: (load[0], -load[1]))
    points = [
        Point(
            number, _who(report, cell.label, of), _mean(cell.tokens_per_second), None, _mean(cell.ttft_ms)
        )
        for number, report in enumerate(comparisons)
        for cell in report.cells
        if (cell.readers, cell.turns) == (readers, turns)
    ]  # fmt: skip
    return Followed(comparisons, points, readers)


def _load(number: int, report: LoadReport, of: Language) -> Point:
    summary, first = report.summary(), report.distributions()["ttft_ms"]
    parts = (*map(str, (report.config.get("model"), report.config.get("target"))), *told_load.how(report, of))
    speed = report.tokens()["output_per_second"]
    return Point(number, parts, speed, summary["successful_rps"], first.median)


def _who(report: ComparisonReport, label: str, of: Language) -> tuple[str, ...]:
    """The same label may have had another model."""
    model = next((one.model for one in report.contestants if one.label == label), "")
    return label, model, *told_comparison.how(report, of)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def charts(found: Followed, of: Language) -> list[str]:
    """Throughput and first token, run by run."""
    speed = "tokens_per_second" if any(point.tokens_per_second for point in found.points) else "answers_per_second"
    titles = {
        speed: "speed_over_time" if speed == "tokens_per_second" else "answers_over_time",
        "first": "first_over_time",
    }
    drawn = []
    for name, title in titles.items():
        series = []
        for parts in dict.fromkeys(point.parts for point in found.points):
            own = [point for point in found.points if point.parts == parts]
            known = [(float(point.run), value) for point in own if (value := getattr(point, name)) is not None]
            series.append(Series(found.name(own[0]), known))
        heights = [y for item in series for _, y in item.points]
        if heights:
            drawn.append(lines(_under(found, say(of, title), of), _runs(found, of), fitting("", heights), series))
    return drawn


def _under(found: Followed, title: str, of: Language) -> str:
    if found.readers is None:
        return title
    return say(of, "under_load", chart=title, readers=counted(of, "readers", found.readers))


def _runs(found: Followed, of: Language) -> Axis:
    """Runs at equal distances, by month, day and minute."""
    ticks = [(float(number), report.at[5:16].replace("T", " ")) for number, report in enumerate(found.reports)]
    return Axis(say(of, "runs_axis"), -0.2, len(ticks) - 0.8, ticks, told=lambda run: ticks[int(run)][1])


def grid(found: Followed, of: Language) -> Grid:
    """Every run, the newest first, with the difference to the one before it that can be compared."""
    heads = [say(of, "run"), say(of, "whom"), say(of, "readers_head"), say(of, "speed"), say(of, "change"),
             say(of, "answers_over_time"), say(of, "first_over_time"), say(of, "change")]  # fmt: skip
    before: dict[tuple[str, ...], Point] = {}
    rows = []
    for point in found.points:
        last = before.get(point.parts, Point(0, (), None, None, None))
        rows.append(
            [
                telling.moment(found.reports[point.run]), found.name(point), figure(found.readers),
                figure(point.tokens_per_second), _change(last.tokens_per_second, point.tokens_per_second),
                figure(point.answers_per_second), figure(point.first), _change(last.first, point.first),
            ]
        )  # fmt: skip
        before[point.parts] = point
    return Grid(say(of, "run_by_run"), heads, rows[::-1], frozenset({0, 1})).tidy()


def _change(before: float | None, now: float | None) -> str:
    return NOTHING if before is None or now is None or before <= 0 else f"{(now / before - 1) * 100:+.1f} %"
