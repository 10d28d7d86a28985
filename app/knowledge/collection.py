"""One collection: its catalog rows, vectors and keyword rows change together or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from app.errors import EmbedderMismatch
from app.knowledge.catalog import Catalog, CollectionRow, SourceFile
from app.knowledge.embedder import Embedder, Fingerprint
from app.knowledge.keywords import KeywordIndex
from app.knowledge.vectors import VectorIndex
from app.schema import ChunkSpan, ExtractedText

log = logging.getLogger(__name__)

_EMBED_AT_ONCE = 64  # chunks between two looks at the progress callback


class Collection:
    """Adds, replaces and removes documents in all three stores, the catalog last, so that a crash leaves no half."""

    def __init__(
        self,
        row: CollectionRow,
        catalog: Catalog,
        vectors: VectorIndex,
        keywords: KeywordIndex,
        embedder: Embedder,
    ) -> None:
        self.row = row
        self.catalog = catalog
        self.vectors = vectors
        self.keywords = keywords
        self.embedder = embedder

    def check_embedder(self) -> None:
        """Raises EmbedderMismatch when the configured embedding model is not the one that built this collection."""
        built = Fingerprint(self.row.embedder, self.row.embedder_sha256, self.row.dimension)
        if not self.embedder.made(built):
            now = self.embedder.fingerprint
            raise EmbedderMismatch(
                f"Collection {self.row.name!r} was built with {built.name}, but EMBEDDING_MODEL is {now.name}.",
                f"Set EMBEDDING_MODEL={built.name}, or ingest into a new collection with --collection NAME.",
            )

    def put(
        self,
        file: SourceFile,
        content: ExtractedText,
        spans: Sequence[ChunkSpan],
        *,
        replaces: int | None = None,
        on_chunks: Callable[[int], None] = lambda done: None,
    ) -> int:
        """Add a document and return its id; the one it replaces answers until this one is whole.

        ``on_chunks`` hears how many chunks are embedded; what it raises ends the work and leaves nothing behind.
        """
        document_id, chunk_ids = self.catalog.add_pending(self.row.id, file, content, spans)
        try:
            for first in range(0, len(spans), _EMBED_AT_ONCE):
                part = spans[first : first + _EMBED_AT_ONCE]
                on_chunks(first)
                vectors = self.embedder.embed([_indexed_text(file.doc, content.text, span) for span in part])
                self.vectors.add(chunk_ids[first : first + _EMBED_AT_ONCE], vectors)
            self.keywords.add(
                document_id,
                [
                    (item, _indexed_text(file.doc, content.text, span))
                    for item, span in zip(chunk_ids, spans, strict=True)
                ],
            )
            self.catalog.make_ready(document_id, replaces)
        except BaseException:
            self._undo()
            raise
        if replaces is not None:
            self.sweep()
        return document_id

    def _undo(self) -> None:
        """Drop the document that is half-way in; the reason why it stopped is told, not what fails here."""
        try:
            self.catalog.discard_pending()
            self.sweep()
        except Exception as error:  # pending and garbage are never returned, and the next start tries again
            log.warning("what was half-way in could not be cleaned up: %s", error)

    def remove(self, document_ids: Sequence[int]) -> None:
        """Take documents out everywhere. They stop answering at once, before the indexes have forgotten them."""
        self.catalog.remove_documents(document_ids)
        self.sweep()

    def sweep(self) -> None:
        """Make the indexes forget what has left the catalog."""
        garbage = self.catalog.garbage(self.row.id)
        if not garbage:
            return
        self.vectors.remove([chunk_id for item in garbage for chunk_id in item.chunk_ids])
        self.keywords.remove([item.document_id for item in garbage])
        self.catalog.forget_garbage([item.document_id for item in garbage])


def _indexed_text(doc: str, text: str, span: ChunkSpan) -> str:
    return titled(doc, span.heading, text[span.start : span.end])


def titled(doc: str, heading: str, text: str) -> str:
    """What is embedded, searched and reranked: the chunk under the titles above it."""
    title = heading or doc.rsplit("/", 1)[-1].rsplit(".", 1)[0].replace("_", " ").replace("-", " ")
    return f"{title}\n{text}"
