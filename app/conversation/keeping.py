"""An answer as it is kept on disk: without the documents' words.

Quotations and cited texts are pointers (document, version, offsets) that are read back through the documents, so that
a removed document is gone from old answers too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from app.conversation.quotes import Quote, take_out
from app.errors import one_line
from app.schema import Answer, Citation, RouteTry, Timings, Usage
from app.text import Language, language

ReadQuote = Callable[[int, str, int, int], str | None]
"""``quote(document_id, sha256, start, end)``: those words of that version; None when it has been removed."""

REMOVED: dict[Language, str] = {"en": "source removed", "zh": "来源已删除"}
_IN_TEXT: dict[Language, str] = {"en": "[source removed]", "zh": "「来源已删除」"}
_AS_THEY_ARE = ("engine", "model", "complete", "refused", "query", "finish_reason")


def pack(answer: Answer) -> tuple[list[Any], dict[str, Any]]:
    """The pieces of its text, and all else about it; both can be written as JSON."""
    pieces = [
        piece if isinstance(piece, str) else [piece.citation, piece.start, piece.end]
        for piece in take_out(answer.answer, answer.citations)
    ]
    return pieces, {
        **{key: getattr(answer, key) for key in _AS_THEY_ARE},
        "timings": asdict(answer.timings),
        "usage": asdict(answer.usage) if answer.usage else None,
        "routes": [asdict(route) for route in answer.routes],
        # A heading is the document's text as well.
        "citations": [asdict(citation) | {"text": "", "heading": ""} for citation in answer.citations],
        "language": language(answer.answer),
    }


def unpack(pieces: list[Any], kept: dict[str, Any], quote: ReadQuote) -> Answer:
    """The inverse of :func:`pack`, the quotations read back through ``quote``.

    Of a removed document it says so in their place, and the citation is unchecked. Answers that earlier versions kept
    have no routes, no usage and no reason why they ended.
    """
    kept = dict(kept)
    lang: Language = "zh" if kept.pop("language") == "zh" else "en"
    stored = [Citation(**fields) for fields in kept.pop("citations")]

    def words(citation: Citation, start: int, end: int) -> str | None:
        return quote(citation.document_id, citation.sha256, start, end)

    def said(piece: Any) -> str:
        if isinstance(piece, str):
            return piece
        source = Quote(*piece)
        text = words(stored[source.citation], source.start, source.end)
        return _IN_TEXT[lang] if text is None else one_line(text)

    def cited(citation: Citation) -> Citation:
        text = words(citation, citation.start, citation.end)
        return replace(citation, text=REMOVED[lang], supported=None) if text is None else replace(citation, text=text)

    usage = kept.pop("usage", None)
    return Answer(
        answer="".join(map(said, pieces)),
        citations=tuple(map(cited, stored)),
        timings=Timings(**kept.pop("timings")),
        routes=tuple(RouteTry(**route) for route in kept.pop("routes", ())),
        usage=Usage(**usage) if usage else None,
        **kept,
    )
