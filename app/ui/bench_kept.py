"""Benchmarks that were made, on this page or on the command line: a list of them, and each by its id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from app.benchmark.reporting import telling
from app.benchmark.reporting.runs import BenchmarkRuns, Report
from app.benchmark.reporting.words import say
from app.ui.i18n import language, t


class Kept(NamedTuple):
    """What the list tells of a run; the run itself may hold the times of thousands of answers."""

    id: str
    at: str
    kind: str
    whom: str
    interrupted: bool

    @property
    def label(self) -> str:
        """When, what, and who."""
        at = datetime.fromisoformat(self.at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        broken = t("bench.interrupted") if self.interrupted else ""
        return " · ".join(part for part in (at, say(language(), self.kind), self.whom, broken) if part)


def every(runs: BenchmarkRuns) -> dict[str, Kept]:
    """Every run that can be read, by its id, the newest first."""
    return {run: found for run in runs.ids() if (found := _kept(runs, run)) is not None}


def labels(kept: Mapping[str, Kept]) -> dict[str, str]:
    """No two alike: Streamlit tells options apart by what they are called."""
    times = Counter(one.label for one in kept.values())
    return {run: f"{one.label} · {run[-4:]}" if times[one.label] > 1 else one.label for run, one in kept.items()}


@lru_cache(maxsize=512)
def _kept(runs: BenchmarkRuns, run: str) -> Kept | None:
    report = runs.load(run)
    return Kept(report.id, report.at, report.kind, telling.whom(report), report.interrupted) if report else None


@lru_cache(maxsize=16)
def loaded(runs: BenchmarkRuns, run: str) -> Report | None:
    """A run by its id; None where it is gone. It never changes, and its file is read once."""
    return runs.load(run)
