"""A document as a citation opens it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from app.schema import Page

if TYPE_CHECKING:
    from app.knowledge.library import Knowledge


@dataclass(frozen=True)
class SourceView:
    """The cited version; ``path`` is the original file while it still is that version."""

    doc: str
    text: str
    pages: tuple[Page, ...]
    media: Literal["pdf", "text"]
    path: Path | None


def cited_source(knowledge: Knowledge, document_id: int, sha256: str) -> SourceView | None:
    """The cited version of a document; None when it was removed or replaced."""
    content = knowledge.content(document_id, sha256)
    file = knowledge.file(document_id)
    if content is None or file is None:
        return None
    path = Path(file.source)
    unchanged = path.is_file() and path.stat().st_size == file.size
    media: Literal["pdf", "text"] = "pdf" if path.suffix.lower() == ".pdf" else "text"
    return SourceView(file.doc, content.text, content.pages, media, path if unchanged else None)
