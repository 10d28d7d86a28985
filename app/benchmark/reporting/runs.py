"""Benchmarks that were run, of every kind, kept in ``DATA_DIR/benchmarks``; the newest two hundred."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app import runs
from app.benchmark.comparisons import report as comparison
from app.benchmark.comparisons.report import ComparisonReport
from app.benchmark.loading import report as load_report
from app.benchmark.loading.report import LoadReport
from app.errors import BenchmarkError

KEPT = 200
Report = LoadReport | ComparisonReport
_LOAD: tuple[int, Callable[[dict[str, Any]], Report]] = (load_report.VERSION, LoadReport.from_dict)
_COMPARISON: tuple[int, Callable[[dict[str, Any]], Report]] = (comparison.VERSION, ComparisonReport.from_dict)
_READERS = {"load": _LOAD, "arrival": _LOAD, "compare": _COMPARISON, "tune": _COMPARISON}


class BenchmarkRuns(runs.Runs[Report]):
    """The benchmarks in one folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, KEPT, "benchmark", BenchmarkError, read)


def read(data: dict[str, Any]) -> Report | None:
    """The inverse of a report's ``as_dict``; None for another version.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: it is no report.
    """
    version, reader = _READERS[data["kind"]]
    return reader(data) if data["version"] == version else None
