"""Evaluations that were made, kept in ``DATA_DIR/evaluations``; the newest fifty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app import runs
from app.errors import EvaluationError
from app.evaluation.report import VERSION, Run

KEPT = 50


class Runs(runs.Runs[Run]):
    """The evaluations in one folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, KEPT, "evaluation", EvaluationError, _read)


def _read(data: dict[str, Any]) -> Run | None:
    return Run.from_dict(data) if data["version"] == VERSION else None
