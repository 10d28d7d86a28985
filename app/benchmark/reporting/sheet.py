"""A benchmark's report as CSV (RFC 4180): a row for each request, or for each repeat of each contestant's load."""

from __future__ import annotations

from collections.abc import Iterator
from csv import writer
from io import StringIO
from typing import Any

from app.benchmark.comparisons.report import Cell, ComparisonReport
from app.benchmark.loading.report import LoadReport
from app.benchmark.reporting.runs import Report

REQUESTS = (
    "index", "prompt", "outcome", "kind", "error", "kept", "finish_reason", "scheduled_ms", "sent_ms", "first_ms",
    "last_ms", "end_ms", "latency_ms", "service_ms", "lag_ms", "ttft_ms", "tpot_ms", "input_tokens", "output_tokens",
    "pieces",
)  # fmt: skip
"""The columns of a run of load; times count from the beginning of the run."""
REPEATS = (
    "label", "engine", "model", "dtype", "readers", "turns", "repeat", "tokens_per_second", "ttft_ms", "tpot_ms",
    "output_tokens", "asked", "failed", "load_seconds", "ram_loaded", "ram_peak", "gpu_loaded", "gpu_peak", "problem",
)  # fmt: skip
"""The columns of a comparison; ``output_tokens``, ``asked`` and ``failed`` are of all repeats, memory is in bytes."""
_FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")


def csv(report: Report) -> str:
    """With a line of column names; lines end as RFC 4180 wants. Write it without translating line ends."""
    heads, rows = (
        (REQUESTS, _requests(report)) if isinstance(report, LoadReport) else (REPEATS, _repeats(report))
    )  # fmt: skip
    sheet = StringIO()
    lines = writer(sheet, lineterminator="\r\n")
    lines.writerow(heads)
    for row in rows:
        lines.writerow([_cell(row.get(head)) for head in heads])
    return sheet.getvalue().encode("utf-8", "replace").decode("utf-8")


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets an apostrophe before it (OWASP, CSV injection)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULAS) else value


def _requests(report: LoadReport) -> Iterator[dict[str, Any]]:
    return (sample.as_dict() for sample in report.samples)


def _repeats(report: ComparisonReport) -> Iterator[dict[str, Any]]:
    """A contestant without figures has one row, which says why."""
    for contestant in report.contestants:
        own = {
            name: getattr(contestant, name)
            for name in ("label", "engine", "model", "dtype", "load_seconds", "ram_loaded", "ram_peak", "gpu_loaded",
                         "gpu_peak", "problem")
        }  # fmt: skip
        cells = [cell for cell in report.cells if cell.label == contestant.label]
        if not cells:
            yield own
        for cell in cells:
            for repeat in range(_repeats_of(cell)):
                yield {**own, **_repeat(cell, repeat)}


def _repeats_of(cell: Cell) -> int:
    return max(1, len(cell.tokens_per_second), len(cell.ttft_ms), len(cell.tpot_ms))


def _repeat(cell: Cell, repeat: int) -> dict[str, Any]:
    measured = {name: getattr(cell, name) for name in ("tokens_per_second", "ttft_ms", "tpot_ms")}
    return {
        "readers": cell.readers, "turns": cell.turns, "repeat": repeat + 1,
        "output_tokens": cell.output_tokens, "asked": cell.asked, "failed": cell.failed,
        **{name: values[repeat] for name, values in measured.items() if repeat < len(values)},
    }  # fmt: skip
