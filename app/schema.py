"""The words of the product: small frozen records that every floor passes to the next.

Offsets are Unicode code points into a document's extracted text, ``start`` inclusive, ``end`` exclusive.
Times are milliseconds unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Page:
    """One page (or sheet, or slide) of a document: ``number`` counts from 1."""

    number: int
    start: int
    end: int


@dataclass(frozen=True)
class Heading:
    """A heading of a document: where it begins, its depth (1 is the highest) and its words."""

    start: int
    level: int
    title: str


@dataclass(frozen=True)
class ExtractedText:
    """What a reader makes of a file. ``pages`` is empty for formats without pages."""

    text: str
    pages: tuple[Page, ...] = ()
    headings: tuple[Heading, ...] = ()


@dataclass(frozen=True)
class ChunkSpan:
    """A piece of a document as the chunker cuts it; ``heading`` is the path of titles above it.

    ``sentences`` are the spans that it was put together from.
    """

    start: int
    end: int
    page: int | None = None
    heading: str = ""
    sentences: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Chunk:
    """A chunk as the catalog keeps it."""

    id: int
    document_id: int
    doc: str
    text: str
    start: int
    end: int
    page: int | None
    heading: str
    sha256: str


@dataclass(frozen=True)
class Passage:
    """A retrieved piece of a document, best first in its list; ``score`` is from 0 to 1.

    ``likeness``: (start, end, how near it is to the question, about 0 to 1) of sentences in it, where that is known.
    """

    doc: str
    start: int
    end: int
    page: int | None
    heading: str
    text: str
    score: float
    document_id: int = 0
    sha256: str = ""
    likeness: tuple[tuple[int, int, float], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        keys = ("doc", "start", "end", "page", "heading", "text", "score")
        return {key: getattr(self, key) for key in keys}


@dataclass(frozen=True)
class SearchResult:
    """What a search found. ``relevant`` is false when nothing in the collection is about the question."""

    passages: tuple[Passage, ...]
    relevant: bool
    relevance: float


@dataclass(frozen=True)
class Citation:
    """Where an answer comes from. ``supported``: true for a verbatim quote, null while unchecked.

    ``document_id`` and ``sha256`` tie it to the version of the document that was quoted.
    """

    n: int
    doc: str
    page: int | None
    start: int
    end: int
    text: str
    supported: bool | None = None
    heading: str = ""
    document_id: int = 0
    sha256: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        keys = ("n", "doc", "page", "start", "end", "text", "supported")
        return {key: getattr(self, key) for key in keys}


@dataclass(frozen=True)
class Timings:
    """Milliseconds: retrieval alone, until the first character of the answer, in all, and of that in line."""

    retrieval_ms: float = 0.0
    ttft_ms: float | None = None
    total_ms: float = 0.0
    waiting_ms: float = 0.0


@dataclass(frozen=True)
class Usage:
    """Tokens that an engine read and wrote, as it counted them itself."""

    prompt_tokens: int
    completion_tokens: int


ANSWERED = "answered"  # the outcome of a RouteTry that went well


@dataclass(frozen=True)
class RouteTry:
    """A server that was asked for an answer, and what came of it: ANSWERED, or why not; ``ms`` until then."""

    route: str
    outcome: str
    ms: float


@dataclass(frozen=True)
class Answer:
    """A finished answer. ``query`` is the question as it was searched, history folded in. ``routes`` are the servers
    that were asked, in turn, where there are any; ``usage`` is None where the engine does not count;
    ``finish_reason`` is ``stop``, ``length`` or ``content_filter``.
    """

    answer: str
    engine: str
    model: str
    complete: bool
    refused: bool
    query: str
    citations: tuple[Citation, ...] = ()
    timings: Timings = Timings()
    routes: tuple[RouteTry, ...] = ()
    usage: Usage | None = None
    finish_reason: str = "stop"

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        data = {key: getattr(self, key) for key in ("answer", "engine", "model", "complete", "refused", "query")}
        return {
            **data,
            "citations": [citation.as_dict() for citation in self.citations],
            "timings": asdict(self.timings),
            "routes": [asdict(route) for route in self.routes],
            "usage": asdict(self.usage) if self.usage else None,
        }


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True)
class Progress:
    """How far a long job is. ``total`` is 0 while it is not known; ``stage`` is a stable word.

    ``rate`` is what is done in a second, of what ``done`` counts; 0 while it is not known.
    """

    stage: str
    done: int = 0
    total: int = 0
    item: str = ""
    detail: str = ""
    rate: float = 0.0


OnProgress = Callable[[Progress], None]
"""Called from the thread that does the work, often; it returns quickly and raises only to cancel the job."""


@dataclass(frozen=True)
class Failure:
    """A file that did not go in, and why."""

    path: str
    error: str
    hint: str


@dataclass
class IngestReport:
    """What an ingestion did, in documents; ``chunks`` counts the chunks written, ``seconds`` the time it took."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    chunks: int = 0
    failed: list[Failure] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        return asdict(self)


@dataclass(frozen=True)
class DocumentInfo:
    """A document of a collection as lists show it. ``size`` in bytes."""

    id: int
    doc: str
    size: int
    chunks: int
    state: str
    added_at: str
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        return {key: value for key, value in asdict(self).items() if key != "id"}


@dataclass(frozen=True)
class EngineStatus:
    """Whether an engine can answer now; ``detail`` says why or why not, ``hint`` what to do next."""

    name: str
    ready: bool
    model: str = ""
    detail: str = ""
    hint: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        return asdict(self)


@dataclass(frozen=True)
class RouteStatus:
    """One server of the engine ``vllm_openai`` as it is now. ``state``: ``in``, ``busy``, ``out``, ``misconfigured``.

    ``since_s``: seconds since it went out or came back, None while it has always been in. ``ttft_ms``: to the first
    token, a moving average. ``problem``: what is odd about it, though it may answer.
    """

    name: str
    url: str
    model: str
    state: str
    reason: str
    since_s: float | None
    ejections: int
    ttft_ms: float | None
    in_flight: int
    answered: int
    weight: float
    tier: int
    fallback: bool
    problem: str

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        return asdict(self)
