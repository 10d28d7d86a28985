"""Runs of something that was measured, kept as one JSON file each; the newest ones, so many as are asked for."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from app.errors import HotswapError

log = logging.getLogger(__name__)

_ID = re.compile(r"\d{8}T\d{6}\d{6}-[0-9a-f]{4}")
_ABANDONED = 3600  # seconds after which a half-written file is nobody's any more


def now() -> tuple[str, str]:
    """The time as ISO 8601, and an id that sorts by it."""
    at = datetime.now(UTC)
    return at.isoformat(timespec="seconds"), f"{at:%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}"


class Run(Protocol):
    """What can be kept."""

    @property
    def id(self) -> str:
        """As :func:`now` gives it."""
        ...

    @property
    def at(self) -> str:
        """When it was made, ISO 8601."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with its ``version``."""
        ...


R = TypeVar("R", bound=Run)


class Runs(Generic[R]):
    """The runs in one folder. Safe from several threads and processes: a file is whole or not there."""

    def __init__(
        self, folder: Path, kept: int, noun: str, error: type[HotswapError], read: Callable[[dict[str, Any]], R | None]
    ) -> None:
        """``read`` makes a run of a file's content, and None of another version's; ``error`` is of the ``noun``."""
        self._folder = folder
        self._kept = kept
        self._noun = noun
        self._error = error
        self._read = read

    def keep(self, run: R) -> None:
        """Write a run, and forget the oldest ones beyond those that are kept.

        Raises:
            HotswapError: the ``error`` of these runs: the disk takes no more.
        """
        path = self._path(run.id)
        half = path.with_suffix(f".{secrets.token_hex(4)}.half")  # its own, where two keep the same run at once
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            half.write_text(json.dumps(run.as_dict()), encoding="utf-8")
            os.replace(half, path)
            self._clean_up()
        except OSError as error:
            with suppress(OSError):
                half.unlink(missing_ok=True)
            raise self._error(
                f"The {self._noun} could not be kept in {self._folder}: {error.strerror}.", "Free some disk space."
            ) from error

    def ids(self) -> list[str]:
        """Of all runs, the newest first."""
        if not self._folder.is_dir():
            return []
        return sorted((path.stem for path in self._folder.glob("*.json") if _ID.fullmatch(path.stem)), reverse=True)

    def load(self, run: str) -> R | None:
        """A run; None where it is gone, damaged, or of another version."""
        try:
            found = self._read(json.loads(self._path(run).read_text(encoding="utf-8")))
            if found is None:
                log.warning("the %s %s is of another version", self._noun, run)
            else:
                datetime.fromisoformat(found.at)  # every list of runs tells it
            return found
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            log.warning("the %s %s cannot be read: %s", self._noun, run, error)
            return None

    def remove(self, run: str) -> None:
        """Forget a run."""
        self._path(run).unlink(missing_ok=True)

    def _clean_up(self) -> None:
        for old in self.ids()[self._kept :]:
            self._path(old).unlink(missing_ok=True)
        for half in self._folder.glob("*.half"):  # of a process that was killed
            with suppress(FileNotFoundError):
                if time.time() - half.stat().st_mtime > _ABANDONED:
                    half.unlink()

    def _path(self, run: str) -> Path:
        """Raises the ``error`` of these runs for what is no id, such as a path that leads elsewhere."""
        if not _ID.fullmatch(run):
            raise self._error(f"There is no {self._noun} {run!r}.", "Choose one of the list.")
        return self._folder / f"{run}.json"
