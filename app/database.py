"""A small SQLite file: one connection behind one lock, brought up to date when it is opened.

What is removed from it is gone from the disk as well, once :meth:`Database.give_back` has run.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.errors import DataFolderError


class Database:
    """Safe to use from several threads. Every method raises DataFolderError when the file cannot be read or written."""

    def __init__(self, path: Path, what: str, steps: Sequence[str]) -> None:
        """Opens ``path``, which is made when it is missing; ``what`` is what errors call it.

        ``steps[n]`` is the SQL that makes version n + 1 of the file out of version n, the empty file being version 0.

        Raises:
            DataFolderError: it is no such file, or one of a newer version.
        """
        self.path = path
        self._what = what
        self._lock = threading.RLock()
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        try:
            with self._errors():
                self._prepare(steps)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, steps: Sequence[str]) -> None:
        for pragma in (
            "journal_mode = WAL",
            "secure_delete = ON",
            "foreign_keys = ON",
            "synchronous = NORMAL",
        ):
            self._db.execute(f"PRAGMA {pragma}")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(steps):
            raise DataFolderError(
                f"{self.path.name} was written by a newer version of Hotswap.",
                "Use that version, or move the file away.",
            )
        for number, step in enumerate(steps[version:], version + 1):
            self._db.executescript(f"BEGIN; {step} PRAGMA user_version = {number}; COMMIT;")

    def close(self) -> None:
        """Closes the file; nothing can be read or written afterwards. May be called more than once."""
        with self._lock:
            self._db.close()

    def give_back(self) -> None:
        """Overwrites what was removed and gives its space back."""
        with self.reading() as db:
            # secure_delete misses what moved between pages, and the log still holds pages as they were.
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone."""
        with self._lock, self._errors():
            yield self._db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The same within a transaction: all that is done in it, or nothing."""
        with self.reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise DataFolderError(
                f"{self._what} {self.path.name} cannot be used: {error}.",
                "See that DATA_DIR is writable and its disk has room; a damaged file can be moved away.",
            ) from error
