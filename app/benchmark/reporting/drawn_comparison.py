"""The charts of a comparison: speed and first token by readers, speed-ups with their intervals, memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.benchmark.comparisons.report import Cell, ComparisonReport, Contestant
from app.benchmark.figures import Spread
from app.benchmark.reporting.told_comparison import lengths
from app.benchmark.reporting.words import counted, say
from app.charts.axis import fitting, marked, upto
from app.charts.frame import COLOURS
from app.charts.lines import Point, Series, lines
from app.charts.rows import Mark, Row, bars, intervals
from app.sizes import figure
from app.text import Language


def charts(report: ComparisonReport, of: Language) -> Iterator[str]:
    """Of settings only what they bring: their speeds lie too close together to be seen apart."""
    for turns in lengths(report):
        cells = [cell for cell in report.cells if cell.turns == turns]
        if report.kind == "compare":
            for name, title in (("tokens_per_second", "speed_chart"), ("ttft_ms", "first_token_chart")):
                yield from _by_readers(report, cells, name, _titled(report, say(of, title), turns, of), of)
        yield from _speed_ups(report, turns, of)
    yield from _memory([one for one in report.contestants if not one.problem], of)


def _titled(report: ComparisonReport, title: str, turns: int, of: Language) -> str:
    """With the turns, where there are several lengths."""
    if len(lengths(report)) < 2:
        return title
    return say(of, "of_turns", chart=title, turns=counted(of, "several_turns", turns))


def _by_readers(report: ComparisonReport, cells: Sequence[Cell], name: str, title: str, of: Language) -> Iterator[str]:
    """Lines, or bars where there is nothing to join or too much to tell apart."""
    readers = sorted({cell.readers for cell in cells if getattr(cell, name)})
    labels = [one.label for one in report.contestants if any(cell.label == one.label for cell in cells)]
    if len(readers) < 2 or len(labels) > len(COLOURS):
        yield from _bars(cells, name, title, readers, labels, of)
        return
    series, heights = [], []
    for label in labels:
        own = sorted((cell for cell in cells if cell.label == label), key=lambda cell: cell.readers)
        found = [(cell.readers, spread) for cell in own if (spread := cell.spread(name)) is not None]
        whiskers = [_ends(spread) for _, spread in found]
        points = [(float(at), spread.mean) for at, spread in found]
        series.append(Series(label, points, whiskers=whiskers))
        heights += [y for _, y in points] + [high for _, high in whiskers]
    yield lines(title, marked(say(of, "readers_axis"), readers, log=True), fitting("", heights), series)


def _ends(spread: Spread) -> Point:
    """Of its interval; a single repeat has none."""
    if spread.low is None or spread.high is None:
        return spread.mean, spread.mean
    return spread.low, spread.high


def _bars(
    cells: Sequence[Cell], name: str, title: str, readers: Sequence[int], labels: Sequence[str], of: Language
) -> Iterator[str]:
    rows = []
    for label in labels:
        spreads = [(cell.readers, cell.spread(name)) for cell in cells if cell.label == label]
        marks = [
            Mark(readers.index(at), spread.mean, figure(spread.mean), spread.low, spread.high)
            for at, spread in sorted(spreads, key=lambda pair: pair[0])
            if spread is not None
        ]
        rows.append(Row(label, marks))
    reached = [mark.high or mark.value for row in rows for mark in row.marks]
    if reached:
        yield bars(title, upto("", max(reached), parts=4), rows, [counted(of, "readers", at) for at in readers])


def _speed_ups(report: ComparisonReport, turns: int, of: Language) -> Iterator[str]:
    ups = [up for up in report.speed_ups() if up.turns == turns]
    readers = sorted({up.readers for up in ups})
    rows = [
        Row(
            one.label,
            [
                Mark(readers.index(up.readers), up.ratio.mean, f"{up.ratio.mean:.2f} ×", up.ratio.low, up.ratio.high)
                for up in sorted(ups, key=lambda up: up.readers)
                if up.label == one.label
            ],
        )
        for one in report.contestants
    ]
    rows = [row for row in rows if row.marks]
    if not rows:
        return
    title = say(of, "gain_chart" if report.kind == "tune" else "speed_up_chart", label=report.contestants[0].label)
    reached = max(1.0, *(mark.high or mark.value for row in rows for mark in row.marks))
    yield intervals(
        _titled(report, title, turns, of), upto(say(of, "times_axis"), reached, parts=4), rows,
        [counted(of, "readers", at) for at in readers], (say(of, "no_change"), 1.0),
    )  # fmt: skip


def _memory(measured: Sequence[Contestant], of: Language) -> Iterator[str]:
    kinds = {"ram_name": [(one.ram_loaded, one.ram_peak) for one in measured],
             "gpu_name": [(one.gpu_loaded, one.gpu_peak) for one in measured]}  # fmt: skip
    known = {name: sizes for name, sizes in kinds.items() if any(size is not None for pair in sizes for size in pair)}
    most = max((size or 0 for sizes in known.values() for pair in sizes for size in pair), default=0)
    if not most:
        return
    unit, name = (1e9, "GB") if most >= 1e9 else (1e6, "MB")
    rows = [
        Row(one.label, [mark for at, sizes in enumerate(known.values()) if (mark := _bar(at, *sizes[number], unit))])
        for number, one in enumerate(measured)
    ]
    names = [say(of, kind) for kind in known]
    title = say(of, "memory_chart", what=" · ".join(names))
    yield bars(title, upto(name, most / unit, parts=4), rows, names)


def _bar(series: int, loaded: int | None, peak: int | None, unit: float) -> Mark | None:
    known = [size / unit for size in (loaded, peak) if size is not None]
    if not known:
        return None
    words = " → ".join(dict.fromkeys(map(figure, known)))
    return Mark(series, known[0], words, more=known[-1] if known[-1] > known[0] else None)
