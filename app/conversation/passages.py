"""LangChain documents as the passages of an answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.schema import Passage

if TYPE_CHECKING:
    from langchain_core.documents import Document


def as_passages(documents: Iterable[Document]) -> tuple[Passage, ...]:
    """The documents that hold text, in their order."""
    return tuple(_passage(document) for document in documents if document.page_content.strip())


def _passage(document: Document) -> Passage:
    """Reads our own retriever's metadata; a foreign one's ``source`` and ``page`` are understood too."""
    data, text = document.metadata, document.page_content
    start = int(data.get("start") or 0)
    page = data.get("page")
    return Passage(
        doc=str(data.get("doc") or data.get("source") or ""),
        start=start,
        end=int(data.get("end") or start + len(text)),
        page=int(page) if page is not None and str(page).isdigit() else None,
        heading=str(data.get("heading") or ""),
        text=text,
        score=float(data.get("score") or 0.0),
        document_id=int(data.get("document_id") or 0),
        sha256=str(data.get("sha256") or ""),
        likeness=tuple(data.get("likeness") or ()),
    )
