"""The tables of the catalog, how an older file gets them, and the faults of SQLite in plain words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import DataFolderError

VERSION = 3
_TABLES = """
CREATE TABLE collections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    embedder TEXT NOT NULL, embedder_sha256 TEXT NOT NULL, dimension INTEGER NOT NULL,
    calibration TEXT NOT NULL DEFAULT '', place TEXT NOT NULL DEFAULT ''
);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER NOT NULL REFERENCES collections(id) ON DELETE CASCADE,
    doc TEXT NOT NULL, source TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, stamp TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'ready')),
    text TEXT NOT NULL, pages TEXT NOT NULL, headings TEXT NOT NULL, added_at TEXT NOT NULL,
    edition INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX documents_by_source ON documents (collection_id, source);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER, heading TEXT NOT NULL, text TEXT NOT NULL,
    sentences BLOB, vectors BLOB
);
CREATE INDEX chunks_by_document ON chunks (document_id);
CREATE TABLE garbage (
    document_id INTEGER PRIMARY KEY, collection_id INTEGER NOT NULL, first_chunk INTEGER, last_chunk INTEGER
);
"""

_SINCE = {
    1: """
ALTER TABLE collections ADD COLUMN calibration TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN edition INTEGER NOT NULL DEFAULT 1;
ALTER TABLE chunks ADD COLUMN sentences BLOB;
ALTER TABLE chunks ADD COLUMN vectors BLOB;
""",
    2: "ALTER TABLE collections ADD COLUMN place TEXT NOT NULL DEFAULT '';",
}


def bring_up_to_date(db: sqlite3.Connection, version: int) -> None:
    """Make the tables of a new file (``version`` 0), or add what an older one lacks; all or nothing."""
    if version == 0:
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    if version < VERSION:
        added = "".join(_SINCE[older] for older in range(version, VERSION)) if version else _TABLES
        db.executescript(f"BEGIN; {added} PRAGMA user_version = {VERSION}; COMMIT;")


def list_as_garbage(db: sqlite3.Connection, document_id: int) -> None:
    """The chunks that a document has now are to be deleted from the indexes."""
    db.execute(
        "INSERT INTO garbage SELECT documents.id, collection_id, min(chunks.id), max(chunks.id)"
        " FROM documents LEFT JOIN chunks ON document_id = documents.id WHERE documents.id = ?"
        " GROUP BY documents.id",
        (document_id,),
    )


@contextmanager
def told_plainly() -> Iterator[None]:
    """What SQLite raises as a DataFolderError: what happened, and what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise DataFolderError(
            f"The catalog could not be used: {error}.",
            "Check that DATA_DIR is writable and its disk has free space; what was there before is kept.",
        ) from error
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # its other children are mistakes of ours
            raise
        raise DataFolderError(
            f"The catalog is damaged: {error}.",
            "Restore catalog.sqlite3 in DATA_DIR, or set DATA_DIR to another folder and ingest again.",
        ) from error
