"""Reports as one HTML page: a single one, or several of the same kind over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from app.benchmark.loading.report import LoadReport
from app.benchmark.reporting import over_time, telling, told_load
from app.benchmark.reporting.drawing import charts
from app.benchmark.reporting.grid import Grid
from app.benchmark.reporting.runs import Report
from app.benchmark.reporting.words import say
from app.errors import BenchmarkError
from app.html_page import document
from app.text import Language


def page(reports: Sequence[Report], of: Language) -> str:
    """The whole page in one language. Everything that comes from models, servers and prompts is escaped.

    Raises:
        BenchmarkError: there is no report, or they are of several kinds.
    """
    if not reports:
        raise BenchmarkError("There is no report to tell of.", "Run a benchmark first: python -m app bench --help.")
    if len(reports) == 1:
        return document(telling.title(reports[0], of), _single(reports[0], of), of)
    return document(say(of, "over_time"), _several(reports, of), of)


def _single(report: Report, of: Language) -> Iterator[str]:
    yield f"<h1>{_say(of, report.kind)}</h1>"
    yield f'<p class="whom">{escape(telling.whom(report))}</p>'
    yield from _body(report, of)


def _body(report: Report, of: Language) -> Iterator[str]:
    yield from (f'<p class="facts">{escape(line)}</p>' for line in telling.facts(report, of))
    yield from (f'<p class="warning">{escape(line)}</p>' for line in telling.warnings(report, of))
    yield from _advice(report, of)
    if isinstance(report, LoadReport):
        yield tiles(report, of)
    yield figures(charts(report, of))
    yield from (table(grid) for grid in telling.grids(report, of))
    if notes := telling.notes(report, of):
        lines = "".join(f"<li>{escape(note)}</li>" for note in notes)
        yield f'<section><h2>{_say(of, "notes")}</h2><ul class="notes">{lines}</ul></section>'
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in telling.config(report)
    )
    yield f"<details><summary>{_say(of, 'config')}</summary><table>{rows}</table></details>"


def _several(reports: Sequence[Report], of: Language) -> Iterator[str]:
    found = over_time.follow(reports, of)
    yield f"<h1>{_say(of, 'over_time')}</h1>"
    yield f'<p class="facts">{_say(of, reports[0].kind)}</p>'
    yield figures(over_time.charts(found, of))
    yield table(over_time.grid(found, of))
    for report in found.reports:
        inside = "".join(_body(report, of))
        words = escape(f"{telling.moment(report)} · {telling.whom(report)}")
        yield f'<details class="run"><summary>{words}</summary>{inside}</details>'


def _advice(report: Report, of: Language) -> Iterator[str]:
    if advice := telling.advice(report, of):
        sentence, *settings = map(escape, advice)
        code = " ".join(f"<code>{setting}</code>" for setting in settings)
        name = "advice_tune" if report.kind == "tune" else "advice"
        how = f'<p class="apply">{_say(of, "apply")} {code}</p>' if settings else ""
        yield f'<div class="advice"><h2>{_say(of, name)}</h2><p>{sentence}</p>{how}</div>'


def tiles(report: LoadReport, of: Language) -> str:
    """The figures that most readers look for."""
    shown = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in told_load.tiles(report, of)
    )
    return f'<dl class="tiles">{shown}</dl>'


def figures(drawn: Sequence[str]) -> str:
    """Charts side by side."""
    return f'<div class="charts">{"".join(f"<figure>{svg}</figure>" for svg in drawn)}</div>'


def table(grid: Grid) -> str:
    """One table with its title."""
    head = "".join(f"<th{_kind(grid, at)}>{escape(name)}</th>" for at, name in enumerate(grid.heads))
    rows = [f"<tr>{head}</tr>"] if head else []
    for number, row in enumerate(grid.rows):
        tone = grid.tones[number] if grid.tones else ""
        cells = (
            f"<td{_kind(grid, at, tone if at == len(row) - 1 else '')}>{escape(cell)}</td>"
            for at, cell in enumerate(row)
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f'<section><h2>{escape(grid.title)}</h2><div class="scroll"><table>{"".join(rows)}</table></div></section>'


def _kind(grid: Grid, column: int, tone: str = "") -> str:
    names = [*([] if column in grid.text else ["number"]), *([tone] if tone else [])]
    return f' class="{" ".join(names)}"' if names else ""


def _say(of: Language, key: str) -> str:
    return escape(say(of, key))
