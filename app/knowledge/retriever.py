"""The retriever: dense and keyword search fused, checked against the catalog, with a word on relevance.

Where a reranker is set, it reads the best of the passages and has the last word on their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from app.knowledge.candidates import find
from app.knowledge.collection import Collection
from app.knowledge.passages import Window, windows
from app.knowledge.relevance import is_relevant, scores
from app.knowledge.reranker import Reranker
from app.knowledge.titles import titled
from app.schema import Passage, SearchResult
from app.small_talk import is_small_talk
from app.text import Span

if TYPE_CHECKING:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun

_RERANKED = 30  # passages that a reranker reads at least; all that come back are among them


class HybridRetriever(BaseRetriever):
    """A LangChain retriever over one collection. ``invoke`` gives nothing when nothing is relevant."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    collection: Collection
    strictness: float = 0.5
    k: int = 6
    reranker: Reranker | None = None

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        found = self.search(query, self.k)
        if not found.relevant:
            return []
        return [
            Document(passage.text, metadata={key: value for key, value in asdict(passage).items() if key != "text"})
            for passage in found.passages
        ]

    def search(self, question: str, k: int = 10) -> SearchResult:
        """The ``k`` best passages whether relevant or not, and whether they are.

        Raises:
            EmbedderMismatch: the collection was built by another embedding model.
            RerankerUnavailable: the reranker is missing, damaged or no cross-encoder.
        """
        found = find(self.collection, question, k)
        best: list[Passage] = []
        order: list[float] = []
        for window in windows(found.chunks, found.sentences, found.scores):
            if len(best) == (max(_RERANKED, k) if self.reranker else k):
                break
            if passage := self._passage(window, found.likeness):
                best.append(passage)
                order.append(window.score)
        if self.reranker:
            order = self.reranker.score(question, [titled(one.doc, one.heading, one.text) for one in best])
            by_rank = sorted(range(len(best)), key=lambda index: -order[index])[:k]
            best, order = [best[index] for index in by_rank], [order[index] for index in by_rank]
        talk = is_small_talk(question)
        relevance = 0.0 if talk else found.relevance
        passages = tuple(
            replace(passage, score=round(score, 6))
            for passage, score in zip(best, scores(relevance, order), strict=True)
        )
        relevant = bool(passages) and not talk and is_relevant(relevance, self.strictness)
        return SearchResult(passages, relevant, relevance)

    def _passage(self, window: Window, likeness: Mapping[tuple[int, Span], float]) -> Passage | None:
        """The words of a passage, unless its document has gone in the meantime."""
        chunk = window.chunk
        excerpt = self.collection.catalog.excerpt(chunk.document_id, window.start, window.end)
        if excerpt is None:
            return None
        text, page = excerpt
        return Passage(
            doc=chunk.doc, start=window.start, end=window.end, page=page, heading=chunk.heading, text=text,
            score=0.0, document_id=chunk.document_id, sha256=chunk.sha256,
            likeness=tuple(
                (start, end, round(near, 3))
                for (document, (start, end)), near in sorted(likeness.items())
                if document == chunk.document_id and window.start <= start and end <= window.end
            ),
        )  # fmt: skip
