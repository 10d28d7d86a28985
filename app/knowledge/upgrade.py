"""Brings collections that an older Hotswap made up to date, from the texts that the catalog keeps."""

from __future__ import annotations

import logging

from app.knowledge.collection import Collection

log = logging.getLogger(__name__)


def upgrade(collection: Collection) -> None:
    """Cut documents of an older edition into chunks as they are cut now, and index them; nothing where none is.

    Documents keep their ids, so that old citations still open. It takes as long as ingestion without reading.
    Raises EmbedderMismatch.
    """
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
