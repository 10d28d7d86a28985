"""The catalog: the truth about collections, documents and chunks, in one SQLite file.

A document is ``pending`` until every index has all of it and ``ready`` from then on; only chunks of ready documents
are ever handed out. What has left the catalog but may linger in an index is listed as garbage until it is gone there.
"""

from __future__ import annotations

import bisect
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.knowledge.catalog_file import CatalogFile
from app.knowledge.catalog_tables import list_as_garbage
from app.knowledge.records import CollectionRow, Garbage, Sentences, SourceFile, packed, unpacked
from app.schema import Chunk, ChunkSpan, DocumentInfo, ExtractedText, Heading, Page

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EDITION = 2
"""Of the chunks: documents with a lower one are cut, and their indexes made, anew."""
_FILE = "id AS document_id, doc, source, sha256, size, stamp"


class Catalog(CatalogFile):
    """The rows of the catalog. Safe from several threads."""

    # collections

    def collections(self) -> list[CollectionRow]:
        """Every collection, by name."""
        return [CollectionRow(**dict(row)) for row in self._rows("SELECT * FROM collections ORDER BY name")]

    def collection(self, name: str) -> CollectionRow | None:
        """The collection of that name."""
        rows = self._rows("SELECT * FROM collections WHERE name = ?", name)
        return CollectionRow(**dict(rows[0])) if rows else None

    def create_collection(self, name: str, embedder: str, sha256: str, dimension: int) -> CollectionRow:
        """A new, empty collection that remembers its embedding model."""
        with self._transaction() as db:
            row = db.execute(
                "INSERT INTO collections (name, embedder, embedder_sha256, dimension) VALUES (?, ?, ?, ?) RETURNING *",
                (name, embedder, sha256, dimension),
            ).fetchone()
        return CollectionRow(**dict(row))

    def calibrate(self, collection_id: int, calibration: str) -> None:
        """Keep what was measured of a collection's texts."""
        with self._transaction() as db:
            db.execute("UPDATE collections SET calibration = ? WHERE id = ?", (calibration, collection_id))

    def note_place(self, collection_id: int, place: str) -> None:
        """All vectors of a collection are in ``place`` (VectorIndex.place)."""
        with self._transaction() as db:
            db.execute("UPDATE collections SET place = ? WHERE id = ?", (place, collection_id))

    # documents

    def outdated(self, collection_id: int) -> list[SourceFile]:
        """Ready documents that an older edition has cut into chunks."""
        rows = self._rows(
            f"SELECT {_FILE} FROM documents WHERE collection_id = ? AND state = 'ready' AND edition < ?",
            collection_id, EDITION,
        )  # fmt: skip
        return [SourceFile(**dict(row)) for row in rows]

    def sources(self, collection_id: int) -> dict[str, SourceFile]:
        """The ready documents of a collection by the path of their file."""
        rows = self._rows(f"SELECT {_FILE} FROM documents WHERE collection_id = ? AND state = 'ready'", collection_id)
        return {row["source"]: SourceFile(**dict(row)) for row in rows}

    def documents(self, collection_id: int) -> list[DocumentInfo]:
        """The ready documents of a collection, by name."""
        rows = self._rows(
            "SELECT id, doc, size, state, added_at, sha256,"
            " (SELECT count(*) FROM chunks WHERE document_id = documents.id) AS chunks"
            " FROM documents WHERE collection_id = ? AND state = 'ready' ORDER BY doc",
            collection_id,
        )
        return [DocumentInfo(**dict(row)) for row in rows]

    def add_pending(
        self, collection_id: int, file: SourceFile, content: ExtractedText, spans: Sequence[ChunkSpan]
    ) -> tuple[int, list[int]]:
        """Write a document and its chunks as pending; returns its id and the chunks' ids in order."""
        with self._transaction() as db:
            document_id = db.execute(
                "INSERT INTO documents (collection_id, doc, source, sha256, size, stamp, state, text, pages, headings,"
                " added_at, edition) VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?) RETURNING id",
                (
                    collection_id, file.doc, file.source, file.sha256, file.size, file.stamp, content.text,
                    json.dumps([asdict(page) for page in content.pages]),
                    json.dumps([asdict(heading) for heading in content.headings], ensure_ascii=False),
                    datetime.now(UTC).isoformat(timespec="seconds"), EDITION,
                ),
            ).fetchone()[0]  # fmt: skip
            chunk_ids = self._add_chunks(db, document_id, content, spans)
        return document_id, chunk_ids

    def _add_chunks(
        self, db: sqlite3.Connection, document_id: int, content: ExtractedText, spans: Sequence[ChunkSpan]
    ) -> list[int]:
        return [
            db.execute(
                'INSERT INTO chunks (document_id, start, "end", page, heading, text, sentences)'
                " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
                (document_id, span.start, span.end, span.page, span.heading, words, packed(span.sentences)),
            ).fetchone()[0]
            for span in spans
            for words in [content.text[span.start : span.end]]
        ]

    def keep_vectors(self, vectors: Iterable[tuple[int, NDArray[np.float32]]]) -> None:
        """The vectors of chunks' sentences, one row for each: (chunk id, (sentences, dimension))."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE chunks SET vectors = ? WHERE id = ?",
                [(rows.astype("float16").tobytes(), item) for item, rows in vectors],
            )

    def make_ready(self, document_id: int, replaces: int | None = None) -> None:
        """Let a pending document answer; the version that it replaces stops in the same transaction."""
        with self._transaction() as db:
            if replaces is not None:
                self._discard(db, replaces)
            db.execute("UPDATE documents SET state = 'ready' WHERE id = ?", (document_id,))
        self._give_space_back()

    def recut(self, document_id: int, content: ExtractedText, spans: Sequence[ChunkSpan]) -> list[int]:
        """Other chunks for a ready document, their ids in order; what the indexes hold of the old ones is garbage."""
        with self._transaction() as db:
            list_as_garbage(db, document_id)
            db.execute("DELETE FROM chunks WHERE document_id = ?", (document_id,))
            return self._add_chunks(db, document_id, content, spans)

    def up_to_date(self, document_id: int) -> None:
        """The chunks of a document, and all indexes of them, are of this edition."""
        with self._transaction() as db:
            db.execute("UPDATE documents SET edition = ? WHERE id = ?", (EDITION, document_id))

    def touch(self, document_id: int, source: str, size: int, stamp: str) -> None:
        """The file was written again with the same content, or moved to ``source``."""
        with self._transaction() as db:
            db.execute(
                "UPDATE documents SET source = ?, size = ?, stamp = ? WHERE id = ?", (source, size, stamp, document_id)
            )

    def remove_documents(self, document_ids: Iterable[int]) -> None:
        """Take documents and their chunks out; what the indexes hold of them becomes garbage."""
        with self._transaction() as db:
            for document_id in document_ids:
                self._discard(db, document_id)
        self._give_space_back()

    def discard_pending(self) -> None:
        """Remove what an interrupted ingestion left behind; ready documents are never touched."""
        self.remove_documents([row["id"] for row in self._rows("SELECT id FROM documents WHERE state = 'pending'")])

    def _discard(self, db: sqlite3.Connection, document_id: int) -> None:
        list_as_garbage(db, document_id)
        db.execute("DELETE FROM documents WHERE id = ?", (document_id,))

    def garbage(self, collection_id: int) -> list[Garbage]:
        """What the indexes of a collection may still hold and must forget."""
        rows = self._rows("SELECT * FROM garbage WHERE collection_id = ?", collection_id)
        return [Garbage(**dict(row)) for row in rows]

    def forget_garbage(self, document_ids: Iterable[int]) -> None:
        """The indexes hold nothing of these documents any more."""
        with self._transaction() as db:
            db.executemany("DELETE FROM garbage WHERE document_id = ?", [(item,) for item in document_ids])

    # content

    def chunks(self, ids: Sequence[int]) -> dict[int, Chunk]:
        """Chunks of ready documents by id; ids that are not (or no longer) ready are left out."""
        rows = self._rows(
            'SELECT chunks.id, document_id, doc, chunks.text, start, "end", page, heading, sha256 FROM chunks'
            " JOIN documents ON documents.id = document_id"
            " WHERE state = 'ready' AND chunks.id IN (SELECT value FROM json_each(?))",
            json.dumps(list(ids)),
        )
        return {row["id"]: Chunk(**dict(row)) for row in rows}

    def sentences(self, ids: Sequence[int]) -> dict[int, Sentences]:
        """The sentences of chunks by the chunk's id; a chunk of an older edition is one sentence."""
        import numpy as np

        rows = self._rows(
            'SELECT id, start, "end", sentences, vectors FROM chunks WHERE id IN (SELECT value FROM json_each(?))',
            json.dumps(list(ids)),
        )
        found: dict[int, Sentences] = {}
        for row in rows:
            spans = unpacked(row["sentences"]) or ((row["start"], row["end"]),)
            vectors = None
            if row["vectors"] is not None:
                vectors = np.frombuffer(row["vectors"], "float16").reshape(len(spans), -1).astype("float32")
            found[row["id"]] = Sentences(spans, vectors)
        return found

    def excerpt(self, document_id: int, start: int, end: int) -> tuple[str, int | None] | None:
        """``text[start:end]`` of a ready document, and the page on which it begins."""
        rows = self._rows(
            "SELECT substr(text, ?, ?) AS words, pages FROM documents WHERE id = ? AND state = 'ready'",
            start + 1, end - start, document_id,
        )  # fmt: skip
        if not rows:
            return None
        words = rows[0]["words"]
        if len(words) < end - start:  # substr() goes no further than a zero byte
            content = self.content(document_id)
            words = content.text[start:end] if content else words
        pages = json.loads(rows[0]["pages"])
        index = bisect.bisect_right([page["start"] for page in pages], start) - 1
        return words, pages[max(index, 0)]["number"] if pages else None

    def chunk_ids(self, collection_id: int) -> list[int]:
        """All chunks of a collection that can answer, in their order."""
        rows = self._rows(
            "SELECT chunks.id FROM chunks JOIN documents ON documents.id = document_id"
            " WHERE collection_id = ? AND state = 'ready' ORDER BY chunks.id",
            collection_id,
        )
        return [row["id"] for row in rows]

    def embedded(self, collection_id: int) -> int:
        """How many chunks that can answer have a vector at the least: those with a sentence that is embedded."""
        rows = self._rows(
            "SELECT count(*) AS number FROM chunks JOIN documents ON documents.id = document_id"
            " WHERE collection_id = ? AND state = 'ready' AND vectors IS NOT NULL",
            collection_id,
        )
        return int(rows[0]["number"])

    def spans(self, document_id: int) -> list[tuple[int, ChunkSpan]]:
        """The chunks of a document, without their sentences, by id."""
        rows = self._rows(
            'SELECT id, start, "end", page, heading FROM chunks WHERE document_id = ? ORDER BY id', document_id
        )
        return [(row["id"], ChunkSpan(row["start"], row["end"], row["page"], row["heading"])) for row in rows]

    def content(self, document_id: int) -> ExtractedText | None:
        """The text of a ready document with its pages and headings."""
        rows = self._rows("SELECT text, pages, headings FROM documents WHERE id = ? AND state = 'ready'", document_id)
        if not rows:
            return None
        pages = tuple(Page(**page) for page in json.loads(rows[0]["pages"]))
        headings = tuple(Heading(**heading) for heading in json.loads(rows[0]["headings"]))
        return ExtractedText(rows[0]["text"], pages, headings)

    def file_of(self, document_id: int) -> SourceFile | None:
        """The file that a ready document came from."""
        rows = self._rows(f"SELECT {_FILE} FROM documents WHERE id = ? AND state = 'ready'", document_id)
        return SourceFile(**dict(rows[0])) if rows else None
