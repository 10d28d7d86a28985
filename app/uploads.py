"""Files that came through the browser: kept under the data folder for as long as their documents are."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from app.knowledge.library import DEFAULT_COLLECTION, Knowledge, check_name
from app.schema import IngestReport, OnProgress


class Uploads:
    """The uploaded files of every collection. A file that cannot be read is not kept, and the one before it stays."""

    def __init__(self, folder: Path, knowledge: Knowledge) -> None:
        self._folder = folder
        self._knowledge = knowledge

    def receive(self, files: Sequence[tuple[str, bytes]], collection: str | None) -> Path:
        """Write files (name, content) to a fresh waiting folder; only the last part of each name is used.

        Raises:
            CollectionNameWrong: no collection can be called so, and no folder.
        """
        check_name(collection or DEFAULT_COLLECTION)
        waiting = self._folder / f".waiting-{secrets.token_hex(8)}"
        waiting.mkdir(parents=True)
        for name, data in files:
            plain = Path(name.replace("\\", "/")).name.lstrip(".") or "file"
            (waiting / plain).write_bytes(data)
        return waiting

    def ingest(self, waiting: Path, collection: str | None, on_progress: OnProgress) -> IngestReport:
        """Move what is in ``waiting`` to its place and ingest it; the earlier file comes back where that fails."""
        folder = self._folder / (collection or DEFAULT_COLLECTION)
        folder.mkdir(parents=True, exist_ok=True)
        before = waiting / ".before"
        before.mkdir()
        names = sorted(path.name for path in waiting.iterdir() if path != before)
        failed = set(names)
        try:
            for name in names:
                if (folder / name).exists():
                    (folder / name).rename(before / name)
                (waiting / name).rename(folder / name)
            report = self._knowledge.ingest([folder / name for name in names], collection, on_progress)
            failed = {Path(failure.path).name for failure in report.failed}
            return report
        finally:
            self._put_right(folder, names, before, failed, collection)
            shutil.rmtree(waiting, ignore_errors=True)

    def _put_right(
        self, folder: Path, names: Sequence[str], before: Path, failed: set[str], collection: str | None
    ) -> None:
        kept = {file.source for file in self._knowledge.files(collection)}
        for name in names:
            if name in failed and (before / name).exists():
                (before / name).replace(folder / name)
            elif str(folder / name) not in kept:  # failed, or the same content is there under another name
                (folder / name).unlink(missing_ok=True)

    def discard(self, source: str) -> None:
        """Delete a file if it is an uploaded one; the user's own files are left alone."""
        if Path(source).is_relative_to(self._folder):
            Path(source).unlink(missing_ok=True)

    def clean_up(self) -> None:
        """Remove what a crash left waiting, and files whose ingestion it cut off."""
        if not self._folder.is_dir():
            return
        for folder in list(self._folder.iterdir()):
            if folder.name.startswith(".waiting-"):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            kept = {file.source for file in self._knowledge.files(folder.name)}
            for path in folder.iterdir():
                if str(path) not in kept:
                    path.unlink(missing_ok=True)
