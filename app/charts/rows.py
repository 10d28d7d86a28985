"""Charts with a name in each row and its values beside it: bars from 0, or points with their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from app.charts.axis import Axis
from app.charts.frame import Frame, colour
from app.columns import columns, shortened

_LABEL = 122  # pixels for the names of rows
_LETTERS = 19  # columns of a name that fit there
_LINE, _GAP = 15, 9  # pixels of a value, and between rows
_LETTER = 5.8  # pixels of a column of the words behind a value


@dataclass(frozen=True)
class Mark:
    """A value of the series with that number. ``low`` and ``high``: its interval; ``more``: a paler bar up to there.

    ``words`` are written behind it.
    """

    series: int
    value: float
    words: str
    low: float | None = None
    high: float | None = None
    more: float | None = None


@dataclass(frozen=True)
class Row:
    """A name and its values, one below the other."""

    name: str
    marks: Sequence[Mark]


def bars(title: str, x: Axis, rows: Sequence[Row], names: Sequence[str]) -> str:
    """``names`` are those of the series."""
    frame = _frame(title, x, rows, names)
    parts = [_net(frame, x)]
    for row, top in _placed(frame, rows):
        parts.append(_name(row, top))
        for line, mark in enumerate(row.marks):
            y, paint = top + line * _LINE, colour(mark.series)
            ends = [(mark.value, "0.9"), *([(mark.more, "0.4")] if mark.more is not None else [])]
            begin: float = frame.left
            for value, opacity in ends:
                end = max(begin, frame.across(value))
                parts.append(
                    f'<rect x="{begin:.1f}" y="{y + 1}" width="{end - begin:.1f}" height="{_LINE - 3}"'
                    f' fill="{paint}" opacity="{opacity}"/>'
                )
                begin = end
            if mark.low is not None and mark.high is not None:
                parts.append(_interval(frame, mark.low, mark.high, y + _LINE // 2, "currentColor"))
                begin = max(begin, frame.across(mark.high))
            parts.append(_words(begin + 5, y, mark.words))
    return frame.svg(parts)


def intervals(title: str, x: Axis, rows: Sequence[Row], names: Sequence[str], border: tuple[str, float]) -> str:
    """Points with their intervals; ``border`` is a named value, the one without any difference."""
    frame = _frame(title, x, rows, names)
    parts = [_net(frame, x), frame.upright(*border, down=-4)]
    for row, top in _placed(frame, rows):
        parts.append(_name(row, top))
        for line, mark in enumerate(row.marks):
            y, paint = top + line * _LINE + _LINE // 2, colour(mark.series)
            at = begin = end = frame.across(mark.value)
            if mark.low is not None and mark.high is not None:
                parts.append(_interval(frame, mark.low, mark.high, y, paint))
                begin, end = frame.across(mark.low), frame.across(mark.high)
            parts.append(f'<circle cx="{at:.1f}" cy="{y}" r="4" fill="{paint}"/>')
            # Words never stand on the border: those of a small value are before its interval, or beyond the border.
            middle = frame.across(border[1])
            before = end < middle and begin - 6 - columns(mark.words) * _LETTER > frame.left
            parts.append(_words(begin - 6 if before else max(end, middle) + 6, top + line * _LINE, mark.words, before))
    return frame.svg(parts)


def _frame(title: str, x: Axis, rows: Sequence[Row], names: Sequence[str]) -> Frame:
    tall = sum(_tall(row) for row in rows)
    words = max((columns(mark.words) for row in rows for mark in row.marks), default=0)
    room = int(words * _LETTER) + 10  # behind the longest bar
    return Frame(title, x, Axis("", 0, 1, ()), names, left=_LABEL, right=room, height=tall + 103)


def _tall(row: Row) -> int:
    return max(1, len(row.marks)) * _LINE + _GAP


def _net(frame: Frame, x: Axis) -> str:
    lines = [
        f'<line x1="{frame.across(tick):.1f}" x2="{frame.across(tick):.1f}" y1="{frame.top}" y2="{frame.bottom}"'
        ' stroke="currentColor" opacity="0.15"/>'
        for tick, _ in x.ticks
    ]
    return "".join([*lines, frame.floor()])


def _placed(frame: Frame, rows: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    """Each row and where it begins."""
    top = int(frame.top) + _GAP
    for row in rows:
        yield row, top
        top += _tall(row)


def _name(row: Row, top: int) -> str:
    middle = top + max(1, len(row.marks)) * _LINE / 2 + 4
    return (
        f'<text x="{_LABEL - 8}" y="{middle - 1:.1f}" text-anchor="end">{escape(shortened(row.name, _LETTERS))}'
        f"<title>{escape(row.name)}</title></text>"
    )


def _interval(frame: Frame, low: float, high: float, y: int, paint: str) -> str:
    begin, end = frame.across(low), frame.across(high)
    return (
        f'<path d="M{begin:.1f} {y - 4}v8M{begin:.1f} {y}H{end:.1f}M{end:.1f} {y - 4}v8" stroke="{paint}"'
        ' stroke-width="1.5" fill="none"/>'
    )


def _words(x: float, y: float, words: str, before: bool = False) -> str:
    anchor = ' text-anchor="end"' if before else ""
    return f'<text x="{x:.1f}" y="{y + 11}" font-size="10" opacity="0.85"{anchor}>{escape(words)}</text>'
