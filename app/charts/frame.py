"""The frame of a chart: its title, its axes, the names of its series; and the way from values to places in it."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape

from app.charts.axis import Axis
from app.columns import columns, shortened

COLOURS = ("#0f9b8e", "#d97706", "#9320df", "#286d8a", "#c16afb", "#bb3b1b")
"""Of one series after the other. All can be told from white and from black, and, by the colour-blind too, from each
other."""
DASHES = ("", "6 4", "2 3", "9 3 2 3", "12 4", "4 2")
"""So that one line shows below another."""
WIDTH = 400
_HEIGHT = 250
_RIGHT, _TOP, _BOTTOM = 16, 34, 60
LEFT = 44
_SHORT = 15  # columns of names of which three go in a line, else two
_NAME_LINE = 16
_LETTER = 6.3  # wide, at 11 pixels
_FONTS = "system-ui, -apple-system, Segoe UI, Roboto, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif"


_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 may not hold in any form: a picture with it is not drawn at all."""


def colour(index: int) -> str:
    """Of the series with that number."""
    return COLOURS[index % len(COLOURS)]


def dashes(index: int) -> str:
    """The attribute for the line of the series with that number; nothing for an unbroken one."""
    found = DASHES[index % len(DASHES)]
    return f' stroke-dasharray="{found}"' if found else ""


class Frame:
    """Of ``names`` those of several series are shown below.

    Pixels: ``left`` is the room for numbers or names at the left, ``right`` that for words at the right.
    """

    def __init__(
        self, title: str, x: Axis, y: Axis, names: Sequence[str],
        *, left: int = LEFT, right: int = _RIGHT, height: int = _HEIGHT,
    ) -> None:  # fmt: skip
        self._title = title
        self._x, self._y = x, y
        self._names = names if len(names) > 1 else ()
        self.left, self.right = left, WIDTH - right
        self.top, self.bottom = _TOP, height - _BOTTOM
        self._beside = 3 if len(self._names) > 2 and max(map(columns, self._names)) <= _SHORT else 2
        lines = max(1, -(-len(self._names) // self._beside))
        self._height = height + (lines - 1) * _NAME_LINE

    def across(self, x: float) -> float:
        """Where a value of x is."""
        return self.left + self._x.share(x) * (self.right - self.left)

    def down(self, y: float) -> float:
        """Where a value of y is."""
        return self.bottom - self._y.share(y) * (self.bottom - self.top)

    def at(self, x: float, y: float) -> str:
        """``12.5,80.0``."""
        return f"{self.across(x):.1f},{self.down(y):.1f}"

    def grid(self) -> str:
        """Lines and numbers of both axes."""
        parts = []
        for y, words in self._y.ticks:
            at = self.down(y)
            parts.append(
                f'<line x1="{self.left}" x2="{self.right}" y1="{at:.1f}" y2="{at:.1f}" stroke="currentColor"'
                ' opacity="0.15"/>'
                f'<text x="{self.left - 6}" y="{at + 4:.1f}" text-anchor="end">{escape(words)}</text>'
            )
        return "".join([*parts, self.floor()])

    def floor(self) -> str:
        """The numbers and the name of the axis of x."""
        parts = [
            f'<text x="{self.across(x):.1f}" y="{self.bottom + 16}" text-anchor="middle">{escape(words)}</text>'
            for x, words in self._apart()
        ]
        middle = (self.left + self.right) / 2
        parts.append(f'<text x="{middle}" y="{self.bottom + 32}" text-anchor="middle">{escape(self._x.words)}</text>')
        return "".join(parts)

    def _apart(self) -> Iterator[tuple[float, str]]:
        """The ticks of x whose numbers do not run into the one before."""
        taken = -math.inf
        for x, words in self._x.ticks:
            half = columns(words) * _LETTER / 2
            if self.across(x) - half >= taken:
                taken = self.across(x) + half + _LETTER
                yield x, words

    def upright(self, words: str, x: float, down: int = 8) -> str:
        """A dashed line with words on its freer side, so many pixels below its upper end."""
        at = self.across(x)
        end = at > WIDTH / 2
        return (
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{self.top}" y2="{self.bottom:.1f}" stroke="currentColor"'
            ' stroke-dasharray="4 3"/>'
            f'<text x="{at + (-5 if end else 5):.1f}" y="{self.top + down}" text-anchor="{"end" if end else "start"}">'
            f"{escape(words)}</text>"
        )

    def level(self, words: str, y: float) -> str:
        """The same across, its words above its end."""
        at = self.down(y)
        return (
            f'<line x1="{self.left}" x2="{self.right}" y1="{at:.1f}" y2="{at:.1f}" stroke="currentColor"'
            ' stroke-dasharray="4 3"/>'
            f'<text x="{self.right}" y="{at - 4:.1f}" text-anchor="end">{escape(words)}</text>'
        )

    def svg(self, parts: Sequence[str]) -> str:
        """The whole, with its title and, of several series, their names."""
        legend = ""
        for index, name in enumerate(self._names):
            line, place = divmod(index, self._beside)
            x = LEFT + place * (WIDTH - LEFT) / self._beside
            y = self.bottom + _BOTTOM - 8 + line * _NAME_LINE
            legend += (
                f'<rect x="{x:.0f}" y="{y - 9}" width="10" height="10" fill="{colour(index)}"/>'
                f'<text x="{x + 15:.0f}" y="{y}">{escape(shortened(name, 26))}</text>'
            )
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self._height}" role="img"'
            f' aria-label="{escape(self._title)}" font-size="11" fill="currentColor"'
            f' font-family="{_FONTS}"'
            ' width="100%">'
            f'<text x="{LEFT}" y="16" font-size="13" font-weight="600">{escape(self._title)}</text>'
            f"{''.join(parts)}{legend}</svg>"
        )
        return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", svg)


def as_image(svg: str) -> str:
    """An ``<img>`` that holds the chart itself, for pages that take no SVG. It is light or dark as its page is."""
    style = "<style>:root{color:#1c2524}@media(prefers-color-scheme:dark){:root{color:#e6eeec}}</style>"
    head, mark, rest = svg.partition(">")
    label = head.partition('aria-label="')[2].partition('"')[0]  # escaped already
    data = b64encode(f"{head}{mark}{style}{rest}".encode()).decode("ascii")
    return f'<img src="data:image/svg+xml;base64,{data}" alt="{label}" width="100%">'
