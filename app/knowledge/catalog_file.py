"""The file of the catalog: one SQLite connection behind one lock, transactions, and space given back."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import DataFolderError
from app.knowledge.catalog_tables import VERSION, bring_up_to_date, told_plainly

log = logging.getLogger(__name__)


class CatalogFile:
    """One connection behind one lock; safe from several threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        with told_plainly():
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            try:
                self._prepare(path)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, path: Path) -> None:
        self._db.row_factory = sqlite3.Row
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise DataFolderError(
                f"{path.name} was written by a newer Hotswap.",
                "Update Hotswap, or set DATA_DIR to another folder.",
            )
        bring_up_to_date(self._db, version)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA secure_delete = ON")  # a removed document leaves no readable trace in the file

    def close(self) -> None:
        """Close the file; the catalog is of no use afterwards."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, told_plainly():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite has already undone it where the disk is full
                    self._db.execute("ROLLBACK")
                raise

    def _rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._lock, told_plainly():
            return self._db.execute(sql, values).fetchall()

    def _give_space_back(self) -> None:
        with self._lock:
            try:
                self._db.executescript("PRAGMA incremental_vacuum")  # execute() would free a single page
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.OperationalError as error:  # the change itself is done; the next one tries again
                log.warning("the catalog could not be made smaller: %s", error)
