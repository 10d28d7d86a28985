"""Evaluations that were made, kept as one JSON file each in ``DATA_DIR/evaluations``; the newest fifty."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from app.errors import EvaluationError
from app.evaluation.report import VERSION, Run

log = logging.getLogger(__name__)

KEPT = 50
_ID = re.compile(r"\d{8}T\d{6}\d{6}-[0-9a-f]{4}")


def now() -> tuple[str, str]:
    """The time as ISO 8601, and an id that sorts by it."""
    time = datetime.now(UTC)
    return time.isoformat(timespec="seconds"), f"{time:%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}"


class Runs:
    """The runs in one folder. Safe from several threads: a file is whole or not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, run: Run) -> None:
        """Write a run, and forget the oldest ones beyond KEPT.

        Raises:
            EvaluationError: the disk takes no more.
        """
        path = self._path(run.id)
        half = path.with_suffix(".half")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            half.write_text(json.dumps(run.as_dict(), ensure_ascii=False), encoding="utf-8")
            os.replace(half, path)
        except OSError as error:
            with suppress(OSError):
                half.unlink(missing_ok=True)
            raise EvaluationError(
                f"The evaluation could not be kept in {self._folder}: {error.strerror}.", "Free some disk space."
            ) from error
        for old in self.ids()[KEPT:]:
            self._path(old).unlink(missing_ok=True)

    def ids(self) -> list[str]:
        """Of all runs, the newest first."""
        if not self._folder.is_dir():
            return []
        return sorted((path.stem for path in self._folder.glob("*.json") if _ID.fullmatch(path.stem)), reverse=True)

    def load(self, run: str) -> Run | None:
        """A run; None where it is gone, damaged, or of another version."""
        try:
            data = json.loads(self._path(run).read_text(encoding="utf-8"))
            return Run.from_dict(data) if data["version"] == VERSION else None
        except OSError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("the evaluation %s cannot be read: %s", run, error)
            return None

    def remove(self, run: str) -> None:
        """Forget a run."""
        self._path(run).unlink(missing_ok=True)

    def _path(self, run: str) -> Path:
        """Raises EvaluationError for what is no id, such as a path that leads elsewhere."""
        if not _ID.fullmatch(run):
            raise EvaluationError(f"There is no evaluation {run!r}.", "Choose one of the list.")
        return self._folder / f"{run}.json"
