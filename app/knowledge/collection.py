"""One collection: its catalog rows, vectors and keyword rows change together or not at all."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from app.errors import EmbedderMismatch, VectorsUnavailable
from app.knowledge.calibration import Calibration, calibrate
from app.knowledge.catalog import Catalog
from app.knowledge.chunker import chunk
from app.knowledge.embedder import Embedder, Fingerprint
from app.knowledge.keywords import KeywordIndex
from app.knowledge.records import CollectionRow, SourceFile
from app.knowledge.titles import titled
from app.knowledge.understanding import Understanding
from app.knowledge.vectors import VectorIndex
from app.schema import ChunkSpan, ExtractedText
from app.text import Language, language

log = logging.getLogger(__name__)

_EMBED_AT_ONCE = 64  # chunks between two looks at the progress callback
_TEXT_SHARE = 0.8  # of what the embedding model reads at once; the rest is for titles
_CHANGED = 0.2  # of the chunks, before what was measured of them counts as old


class Collection:
    """Adds, replaces and removes documents in all three stores, the catalog last, so that a crash leaves no half."""

    def __init__(
        self,
        row: CollectionRow,
        catalog: Catalog,
        vectors: VectorIndex,
        keywords: KeywordIndex,
        embedder: Embedder,
        understanding: Callable[[Language], Understanding],
    ) -> None:
        self.row = row
        self.catalog = catalog
        self.vectors = vectors
        self.keywords = keywords
        self.embedder = embedder
        self.understanding = understanding
        self.calibration = Calibration.from_json(row.calibration)
        self._unswept = False  # whether the vectors could not be reached when some were to be forgotten

    def check_embedder(self) -> None:
        """Raises EmbedderMismatch when the configured embedding model is not the one that built this collection."""
        built = Fingerprint(self.row.embedder, self.row.embedder_sha256, self.row.dimension)
        if not self.embedder.made(built):
            now = self.embedder.fingerprint
            raise EmbedderMismatch(
                f"Collection {self.row.name!r} was built with {built.name}, but EMBEDDING_MODEL is {now.name}.",
                f"Set EMBEDDING_MODEL={built.name}, or ingest into a new collection with --collection NAME.",
            )

    def cut(self, content: ExtractedText) -> list[ChunkSpan]:
        """The chunks of a document, none of them too long for this collection's embedding model."""
        return chunk(content, self.fits)

    def fits(self, texts: Sequence[str]) -> list[bool]:
        """Whether each is short enough for a chunk: what is embedded is read to its end, with titles above it."""
        embedded = [text for text in texts if self._understands(text)]
        fit = dict(zip(embedded, self.embedder.fits(embedded, _TEXT_SHARE), strict=True))
        return [fit.get(text, True) for text in texts]

    def _understands(self, text: str) -> bool:
        return self.understanding(language(text)).trust > 0

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

        What is in a language that the embedding model does not understand is not embedded: its vectors would be
        noise. ``on_chunks`` hears how many chunks are done; what it raises ends the work and leaves nothing behind.
        """
        document_id, chunk_ids = self.catalog.add_pending(self.row.id, file, content, spans)
        try:
            self._index(document_id, file.doc, content.text, list(zip(chunk_ids, spans, strict=True)), on_chunks)
            self.catalog.make_ready(document_id, replaces)
        except BaseException:
            self._undo()
            raise
        if replaces is not None:
            self._sweep_if_reached()
        return document_id

    def recut(self, file: SourceFile, content: ExtractedText, spans: Sequence[ChunkSpan]) -> None:
        """Other chunks for a ready document, which keeps its id; stopped in the midst, it is begun again."""
        self.sweep()  # of what it left when it was stopped: the catalog lists a document's garbage once
        chunk_ids = self.catalog.recut(file.document_id, content, spans)
        self.sweep()
        self._index(file.document_id, file.doc, content.text, list(zip(chunk_ids, spans, strict=True)))
        self.catalog.up_to_date(file.document_id)

    def _index(
        self,
        document_id: int,
        doc: str,
        text: str,
        chunks: Sequence[tuple[int, ChunkSpan]],
        on_chunks: Callable[[int], None] = lambda done: None,
    ) -> None:
        for first in range(0, len(chunks), _EMBED_AT_ONCE):
            on_chunks(first)
            self._embed(doc, text, chunks[first : first + _EMBED_AT_ONCE])
        self.keywords.add(document_id, [(item, _titled(doc, text, span)) for item, span in chunks])

    def _embed(self, doc: str, text: str, chunks: Sequence[tuple[int, ChunkSpan]]) -> None:
        """The vectors of chunks, and of each of their sentences."""
        understood = self._embed_whole(doc, text, chunks)
        parts = sorted(
            {part for _, span in understood for part in span.sentences if self._understands(text[slice(*part)])}
        )
        if parts:
            found = self.embedder.embed([text[slice(*part)] for part in parts])
            vectors = dict(zip(parts, found, strict=True))
            nothing = np.zeros_like(found[0])  # like no question: a Chinese sentence in an English chunk
            with_parts = [(item, span.sentences) for item, span in understood if span.sentences]
            self.catalog.keep_vectors(
                (item, np.stack([vectors.get(one, nothing) for one in ones])) for item, ones in with_parts
            )

    def _embed_whole(self, doc: str, text: str, chunks: Sequence[tuple[int, ChunkSpan]]) -> list[tuple[int, ChunkSpan]]:
        """The vectors of chunks; returns those of them that have one."""
        understood = [(item, span) for item, span in chunks if self._understands(text[span.start : span.end])]
        if understood:
            readable = self._readable(doc, text, [span for _, span in understood])
            self.vectors.add([item for item, _ in understood], self.embedder.embed(readable))
        return understood

    def settled(self) -> bool:
        """Whether the vectors are where they were written last, as many as must be, and none is to be forgotten.

        Looked up on first use, and again after they could not be reached. Raises VectorsUnavailable.
        """
        if not self.vectors.believed and not self._unswept:
            self.vectors.believed = self.has_vectors()
        return self.vectors.believed

    def has_vectors(self) -> bool:
        """Whether no vector is missing, as far as their place and their number tell. Raises VectorsUnavailable."""
        return self.vectors.place == self.row.place and self.vectors.count() >= self.catalog.embedded(self.row.id)

    def embed_again(self, file: SourceFile, content: ExtractedText) -> None:
        """The vectors of a ready document's chunks anew; those of its sentences are in the catalog."""
        chunks = self.catalog.spans(file.document_id)
        for first in range(0, len(chunks), _EMBED_AT_ONCE):
            self._embed_whole(file.doc, content.text, chunks[first : first + _EMBED_AT_ONCE])

    def note_place(self) -> None:
        """All vectors have been written to where the index is now."""
        place = self.vectors.place
        self.catalog.note_place(self.row.id, place)
        self.row = replace(self.row, place=place)

    def _readable(self, doc: str, text: str, spans: Sequence[ChunkSpan]) -> list[str]:
        """The chunks under their titles; without them where the embedding model could not read to the end."""
        texts = [_titled(doc, text, span) for span in spans]
        return [
            whole if fits else text[span.start : span.end]
            for whole, fits, span in zip(texts, self.embedder.fits(texts), spans, strict=True)
        ]

    def calibrate(self) -> None:
        """Measure the texts anew where the collection has changed much since the last time."""
        ids, before = self.catalog.chunk_ids(self.row.id), self.calibration
        kept = bisect_right(ids, before.newest)  # ids only rise
        changed = (len(ids) - kept) + (before.size - kept)
        if changed > _CHANGED * before.size:
            self.calibration = calibrate(self.catalog, self.keywords, self.row.id)
            self.catalog.calibrate(self.row.id, self.calibration.to_json())

    def _undo(self) -> None:
        """Drop the document that is half-way in; the reason why it stopped is told, not what fails here."""
        try:
            self.catalog.discard_pending()
            self._sweep_if_reached()
        except Exception as error:  # pending and garbage are never returned, and the next start tries again
            log.warning("what was half-way in could not be cleaned up: %s", error)

    def remove(self, document_ids: Sequence[int]) -> None:
        """Take documents out everywhere. They stop answering at once, before the indexes have forgotten them."""
        self.catalog.remove_documents(document_ids)
        self._sweep_if_reached()

    def _sweep_if_reached(self) -> None:
        """What the catalog has forgotten is never returned; its vectors go as soon as they can be reached again."""
        try:
            self.sweep()
        except VectorsUnavailable as error:
            self._unswept = True
            log.warning("vectors of removed text are deleted later: %s", error)

    def sweep(self) -> None:
        """Make the indexes forget what has left the catalog."""
        garbage = self.catalog.garbage(self.row.id)
        if not garbage:
            self._unswept = False
            return
        self.vectors.remove([chunk_id for item in garbage for chunk_id in item.chunk_ids])
        self.keywords.remove([item.document_id for item in garbage])
        self.catalog.forget_garbage([item.document_id for item in garbage])
        self._unswept = False


def _titled(doc: str, text: str, span: ChunkSpan) -> str:
    return titled(doc, span.heading, text[span.start : span.end])
