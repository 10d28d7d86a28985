"""Charts with an axis of x: lines, steps, dots, and how often values occur."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Literal

from app.charts.axis import Axis
from app.charts.frame import Frame, colour, dashes

_BINS = 24
_SLOTS = 200  # of a line with more points than two in each, the lowest and the highest of each slot are drawn

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """``points`` from left to right.

    ``band`` has the lower and upper bound of each as an area, ``whiskers`` as a mark at each. A ``line`` is marked
    where x has a tick; a ``curve`` and ``steps`` are not; ``dots`` are joined by nothing.
    """

    name: str
    points: Sequence[Point]
    band: Sequence[Point] = ()
    whiskers: Sequence[Point] = ()
    kind: Literal["line", "curve", "steps", "dots"] = "line"


def lines(title: str, x: Axis, y: Axis, series: Sequence[Series], level: tuple[str, float] | None = None) -> str:
    """Several series over each other; ``level`` is a named value of y."""
    frame = Frame(title, x, y, [item.name for item in series])
    parts = [frame.grid()]
    for index, item in enumerate(series):
        parts += _drawn(frame, x, y, item, index)
    if level is not None:
        parts.append(frame.level(*level))
    return frame.svg(parts)


def _drawn(frame: Frame, x: Axis, y: Axis, item: Series, index: int) -> Iterator[str]:
    paint = colour(index)
    if item.band:
        xs = [at for at, _ in item.points]
        edge = [*zip(xs, (b for b, _ in item.band), strict=True)]
        edge += reversed([*zip(xs, (b for _, b in item.band), strict=True)])
        outline = " ".join(frame.at(at, value) for at, value in edge)
        yield f'<polygon points="{outline}" fill="{paint}" opacity="0.15"/>'
    if item.kind == "dots":
        for at, value in thinned(item.points):
            cx, cy = frame.at(at, value).split(",")
            yield f'<circle cx="{cx}" cy="{cy}" r="2" fill="{paint}" opacity="0.7"/>'
        return
    points = item.points if item.kind == "line" else thinned(item.points)
    path = " ".join(frame.at(*point) for point in (_stairs(points) if item.kind == "steps" else points))
    yield f'<polyline points="{path}" fill="none" stroke="{paint}" stroke-width="2"{dashes(index)}/>'
    for (at, _), (low, high) in zip(item.points, item.whiskers, strict=bool(item.whiskers)):
        if low < high:
            yield _whisker(frame, at, low, high, paint)
    if item.kind != "line":
        return
    ticks = {tick for tick, _ in x.ticks}
    for number, (at, value) in enumerate(item.points):
        if at in ticks:
            cx, cy = frame.at(at, value).split(",")
            words = f"{item.name} {x.told(at)}: {y.told(value)}"
            if item.whiskers:
                low, high = item.whiskers[number]
                words += f" ({y.told(low)} – {y.told(high)})" if low < high else ""
            yield f'<circle cx="{cx}" cy="{cy}" r="3.5" fill="{paint}"><title>{escape(words)}</title></circle>'


def _whisker(frame: Frame, at: float, low: float, high: float, paint: str) -> str:
    middle, top, bottom = frame.across(at), frame.down(high), frame.down(low)
    return (
        f'<path d="M{middle - 4:.1f} {top:.1f}h8M{middle:.1f} {top:.1f}V{bottom:.1f}M{middle - 4:.1f} {bottom:.1f}h8"'
        f' stroke="{paint}" stroke-width="1.5" fill="none"/>'
    )


def _stairs(points: Sequence[Point]) -> Iterator[Point]:
    """A value holds until the next."""
    yield from points[:1]
    for (_, before), (at, value) in pairwise(points):
        yield at, before
        yield at, value


def thinned(points: Sequence[Point]) -> Sequence[Point]:
    """Of very many points, in each of equally wide slots of x the lowest and the highest: outliers stay to be seen."""
    if len(points) <= 2 * _SLOTS:
        return points
    low, high = points[0][0], points[-1][0]
    slots: dict[int, list[Point]] = {}
    for point in points:
        slots.setdefault(int((point[0] - low) / ((high - low) or 1.0) * _SLOTS), []).append(point)
    found = []
    for inside in slots.values():
        extremes = {min(inside, key=lambda point: point[1]), max(inside, key=lambda point: point[1])}
        found += sorted(extremes)
    return found


def histogram(title: str, axis: str, groups: Sequence[tuple[str, Sequence[float]]], border: tuple[str, float]) -> str:
    """How often values from 0 to 1 occur in each group, the groups over each other; ``border`` is a named line."""
    width = 1 / _BINS
    counted = [
        [sum(1 for value in group if min(_BINS - 1, int(value / width)) == index) for index in range(_BINS)]
        for _, group in groups
    ]
    most = max((count for counts in counted for count in counts), default=0) or 1
    xs = Axis(axis, 0.0, 1.0, [(part / 4, f"{part / 4:.2f}") for part in range(5)])
    ys = Axis("", 0, most, [(y, str(y)) for y in range(0, most + 1, max(1, math.ceil(most / 5)))])
    frame = Frame(title, xs, ys, [name for name, _ in groups])
    parts = [frame.grid()]
    for number, counts in enumerate(counted):
        paint = colour(number)
        parts += [_bar(frame, index * width, width, count, paint) for index, count in enumerate(counts) if count]
    parts.append(frame.upright(*border))
    return frame.svg(parts)


def _bar(frame: Frame, x: float, width: float, y: float, paint: str) -> str:
    """From the bottom up."""
    left, top = frame.across(x), frame.down(y)
    wide, tall = frame.across(x + width) - left, frame.bottom - top
    return (
        f'<rect x="{left + 0.5:.1f}" y="{top:.1f}" width="{max(1.0, wide - 1):.1f}" height="{tall:.1f}"'
        f' fill="{paint}" opacity="0.6"/>'
    )
