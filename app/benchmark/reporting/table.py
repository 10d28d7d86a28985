"""A benchmark's report as text for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app import columns
from app.benchmark.reporting import telling
from app.benchmark.reporting.grid import Grid
from app.benchmark.reporting.runs import Report
from app.benchmark.reporting.words import say
from app.errors import one_line
from app.text import Language

_BETWEEN = "  "
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What would move a terminal's cursor, turn its writing around, or cannot be written at all."""


def table(report: Report, of: Language = "en") -> str:
    """All of it; ends with a line break."""
    lines = [telling.title(report, of), *telling.facts(report, of)]
    for warning in telling.warnings(report, of):
        lines += ["", f"! {warning}"]
    for grid in telling.grids(report, of):
        lines += ["", grid.title, *_rows(grid)]
    if notes := telling.notes(report, of):
        lines += ["", say(of, "notes"), *(f"  - {one_line(note)}" for note in notes)]
    if advice := telling.advice(report, of):
        sentence, *settings = advice
        lines += ["", sentence, *([f"{say(of, 'apply')} {_BETWEEN.join(settings)}"] if settings else [])]
    return "".join(f"{_UNSAFE.sub(' ', line).rstrip()}\n" for line in lines)


def _rows(grid: Grid) -> Iterator[str]:
    """Columns as wide as their widest cell; words to the left, figures to the right."""
    rows = [list(grid.heads)] if grid.heads else []
    rows += [[one_line(cell) for cell in row] for row in grid.rows]
    wide = [max(map(columns.columns, column)) for column in zip(*rows, strict=True)]
    last = len(wide) - 1
    for row in rows:
        cells = [
            columns.left(cell, 0 if at == last else wide[at]) if at in grid.text else columns.right(cell, wide[at])
            for at, cell in enumerate(row)
        ]
        yield "  " + _BETWEEN.join(cells)
