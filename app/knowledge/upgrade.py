"""Brings collections up to date that an older Hotswap made, or whose vectors are missing, from their stored texts."""

from __future__ import annotations

import logging

from app.knowledge.collection import Collection
from app.schema import OnProgress, Progress

log = logging.getLogger(__name__)


def upgrade(collection: Collection, on_progress: OnProgress = lambda progress: None) -> None:
    """Write the vectors anew where they are missing, and cut and index anew what an older edition has cut.

    Nothing is done where nothing is to do. Documents keep their ids, so that old citations still open. It takes as
    long as ingestion without reading. Raises EmbedderMismatch and VectorsUnavailable.
    """
    if not collection.settled():
        if not collection.has_vectors():
            _embed_again(collection, on_progress)
        collection.sweep()
        collection.vectors.believed = True
    old = collection.catalog.outdated(collection.row.id)
    if not old:
        return
    collection.check_embedder()
    log.warning(
        "collection %r is brought up to date: %d documents are indexed anew, once", collection.row.name, len(old)
    )
    for file in old:
        content = collection.catalog.content(file.document_id)
        if content is not None:
            collection.recut(file, content, collection.cut(content))
    collection.calibrate()


def _embed_again(collection: Collection, on_progress: OnProgress) -> None:
    """All vectors anew: CHROMA_URL is another one than it was, or its server has lost them."""
    collection.check_embedder()
    files = list(collection.catalog.sources(collection.row.id).values())
    if files:
        log.warning(
            "the vectors of collection %r are missing: %d documents are embedded anew, once",
            collection.row.name, len(files),
        )  # fmt: skip
    collection.vectors.destroy()  # it may hold what has been removed meanwhile
    for number, file in enumerate(files):
        on_progress(Progress("embedding", number, len(files), file.doc))
        content = collection.catalog.content(file.document_id)
        if content is not None:
            collection.embed_again(file, content)
    collection.note_place()
