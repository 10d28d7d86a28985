"""Small charts as SVG, drawn in the colour of the text around them, so that they suit light and dark pages alike."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#0f9b8e", "#d97706")
"""Of the first series and the second; both can be told from white, from black, and from each other."""
_DASHES = ("", ' stroke-dasharray="6 4"')  # so that one line shows below another
_WIDTH, _HEIGHT = 400, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 16, 34, 60
_BINS = 24
_FONTS = "system-ui, -apple-system, Segoe UI, Roboto, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif"

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """A line: ``points`` from left to right, y from 0 to 1; ``band`` has the lower and upper bound of each."""

    name: str
    points: Sequence[Point]
    band: Sequence[Point] = ()


def lines(title: str, axis: str, series: Sequence[Series], ticks: Sequence[float]) -> str:
    """Lines over ``ticks`` of x; y is a rate."""
    low, high = min(ticks), max(ticks)
    plot = _Plot(title, axis, low, high, 1.0)
    parts = [plot.grid([(tick, f"{tick:,.0f}") for tick in ticks], [(y / 5, f"{y / 5:.1f}") for y in range(6)])]
    for item, colour, dashes in zip(series, COLOURS, _DASHES, strict=False):
        if item.band:
            xs = [x for x, _ in item.points]
            edge = [*zip(xs, (b for b, _ in item.band), strict=True)]
            edge += reversed([*zip(xs, (b for _, b in item.band), strict=True)])
            outline = " ".join(plot.at(x, y) for x, y in edge)
            parts.append(f'<polygon points="{outline}" fill="{colour}" opacity="0.15"/>')
        path = " ".join(plot.at(x, y) for x, y in item.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        for x, y in item.points:
            if x in ticks:
                cx, cy = plot.at(x, y).split(",")
                words = escape(f"{item.name} {x:,.0f}: {y:.3f}")
                parts.append(f'<circle cx="{cx}" cy="{cy}" r="3.5" fill="{colour}"><title>{words}</title></circle>')
    return plot.svg(parts, [item.name for item in series])


def histogram(title: str, axis: str, groups: Sequence[tuple[str, Sequence[float]]], border: tuple[str, float]) -> str:
    """How often values from 0 to 1 occur in each group, the groups over each other; ``border`` is a named line."""
    low, high = 0.0, 1.0
    width = (high - low) / _BINS
    counted = [
        [sum(1 for value in group if min(_BINS - 1, int((value - low) / width)) == index) for index in range(_BINS)]
        for _, group in groups
    ]
    most = max((count for counts in counted for count in counts), default=0) or 1
    plot = _Plot(title, axis, low, high, most)
    step = max(1, math.ceil(most / 5))
    xs = [low + (high - low) * part / 4 for part in range(5)]
    parts = [plot.grid([(x, f"{x:.2f}") for x in xs], [(y, str(y)) for y in range(0, most + 1, step)])]
    for counts, colour in zip(counted, COLOURS, strict=False):
        parts += [plot.bar(low + index * width, width, count, colour) for index, count in enumerate(counts) if count]
    parts.append(plot.upright(*border))
    return plot.svg(parts, [name for name, _ in groups])


class _Plot:
    """The frame of a chart, and the way from values to places in it."""

    def __init__(self, title: str, axis: str, low: float, high: float, most: float) -> None:
        self._title = title
        self._axis = axis
        self._low, self._span = low, (high - low) or 1.0
        self._most = most

    def _x(self, x: float) -> float:
        return _LEFT + (x - self._low) / self._span * (_WIDTH - _LEFT - _RIGHT)

    def _y(self, y: float) -> float:
        return _HEIGHT - _BOTTOM - y / self._most * (_HEIGHT - _TOP - _BOTTOM)

    def at(self, x: float, y: float) -> str:
        """``12.5,80.0``."""
        return f"{self._x(x):.1f},{self._y(y):.1f}"

    def grid(self, xs: Sequence[tuple[float, str]], ys: Sequence[tuple[float, str]]) -> str:
        """Lines and numbers of both axes."""
        parts = []
        for y, words in ys:
            at = self._y(y)
            parts.append(
                f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="currentColor"'
                ' opacity="0.15"/>'
                f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{escape(words)}</text>'
            )
        for x, words in xs:
            parts.append(
                f'<text x="{self._x(x):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{escape(words)}</text>'
            )
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        parts.append(
            f'<text x="{middle}" y="{_HEIGHT - _BOTTOM + 32}" text-anchor="middle">{escape(self._axis)}</text>'
        )
        return "".join(parts)

    def bar(self, x: float, width: float, y: float, colour: str) -> str:
        """From the bottom up."""
        left, top = self._x(x), self._y(y)
        wide, tall = self._x(x + width) - left, self._y(0) - top
        return (
            f'<rect x="{left + 0.5:.1f}" y="{top:.1f}" width="{max(1.0, wide - 1):.1f}" height="{tall:.1f}"'
            f' fill="{colour}" opacity="0.6"/>'
        )

    def upright(self, words: str, x: float) -> str:
        """A dashed line with words on its freer side."""
        at = self._x(x)
        end = at > _WIDTH / 2
        return (
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{self._y(0):.1f}" stroke="currentColor"'
            ' stroke-dasharray="4 3"/>'
            f'<text x="{at + (-5 if end else 5):.1f}" y="{_TOP + 8}" text-anchor="{"end" if end else "start"}">'
            f"{escape(words)}</text>"
        )

    def svg(self, parts: Sequence[str], names: Sequence[str]) -> str:
        """The whole, with its title and, of several series, their names."""
        legend = ""
        for index, name in enumerate(names if len(names) > 1 else ()):
            x, y = _LEFT + index * (_WIDTH - _LEFT) / 2, _HEIGHT - 8
            legend += (
                f'<rect x="{x:.0f}" y="{y - 9}" width="10" height="10" fill="{COLOURS[index]}"/>'
                f'<text x="{x + 15:.0f}" y="{y}">{escape(_short(name))}</text>'
            )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
            f' aria-label="{escape(self._title)}" font-size="11" fill="currentColor"'
            f' font-family="{_FONTS}"'
            ' width="100%">'
            f'<text x="{_LEFT}" y="16" font-size="13" font-weight="600">{escape(self._title)}</text>'
            f"{''.join(parts)}{legend}</svg>"
        )


def as_image(svg: str) -> str:
    """An ``<img>`` that holds the chart itself, for pages that take no SVG. It is light or dark as its page is."""
    style = "<style>:root{color:#1c2524}@media(prefers-color-scheme:dark){:root{color:#e6eeec}}</style>"
    head, mark, rest = svg.partition(">")
    label = head.partition('aria-label="')[2].partition('"')[0]  # escaped already
    data = b64encode(f"{head}{mark}{style}{rest}".encode()).decode("ascii")
    return f'<img src="data:image/svg+xml;base64,{data}" alt="{label}" width="100%">'


def _short(name: str) -> str:
    return name if len(name) <= 26 else name[:25] + "…"
