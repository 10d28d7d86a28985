"""The retriever: dense and keyword search fused, checked against the catalog, with a word on relevance.

Where a reranker is set, it reads the best of them and has the last word on their order.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from app.knowledge.collection import Collection, titled
from app.knowledge.fusion import fuse
from app.knowledge.relevance import coverage, is_relevant, relevance
from app.knowledge.reranker import Reranker
from app.schema import Chunk, Passage, SearchResult
from app.text import Language, language, terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.callbacks import CallbackManagerForRetrieverRun

_CANDIDATES = 50  # of each leg
_LANGUAGE_BONUS = 0.5  # deviations of the fused score, for passages in the question's own language
_JUDGED = 10  # passages that are looked at to tell whether anything is relevant
_RERANKED = 30  # passages that a reranker reads at least; all that come back are among them


class HybridRetriever(BaseRetriever):
    """A LangChain retriever over one collection. ``invoke`` gives nothing when nothing is relevant."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    collection: Collection
    trust: Any  # Callable[[Language], float]; how far the embedding model is believed in a language
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
        spoken = language(question)
        trust_of: Callable[[Language], float] = self.trust
        trust = trust_of(spoken)
        candidates = _CANDIDATES + k
        keywords, chunks = self._ready(lambda most: self.collection.keywords.search(question, most), candidates)
        dense: dict[int, float] = {}
        if trust > 0 or not keywords:
            vector = self.collection.embedder.embed_questions([question])[0]
            dense, near = self._ready(lambda most: self.collection.vectors.search(vector, most), candidates)
            chunks |= near
        scores = fuse(dense, keywords, trust=trust)
        for item in scores:
            if language(chunks[item].text) == spoken:
                scores[item] += _LANGUAGE_BONUS
        ranked = sorted(scores, key=lambda item: (-scores[item], item))
        judged = [chunks[item] for item in ranked[:_JUDGED]]
        if self.reranker:
            ranked = ranked[: max(_RERANKED, k)]
            texts = [titled(chunks[item].doc, chunks[item].heading, chunks[item].text) for item in ranked]
            scores = dict(zip(ranked, self.reranker.score(question, texts), strict=True))
            ranked.sort(key=lambda item: -scores[item])
        passages = tuple(_passage(chunks[item], scores[item]) for item in ranked[:k])
        value = relevance(
            max(dense.values(), default=0.0),
            self._coverage(question, judged),
            trust=trust,
        )
        return SearchResult(passages, bool(passages) and is_relevant(value, self.strictness), value)

    def _ready(
        self, search: Callable[[int], list[tuple[int, float]]], wanted: int
    ) -> tuple[dict[int, float], dict[int, Chunk]]:
        """The ``wanted`` best of a leg with their chunks; what is not ready, or is removed, takes nobody's place."""
        most = wanted
        while True:
            hits = search(most)
            chunks = self.collection.catalog.chunks([item for item, _ in hits])
            if len(chunks) >= wanted or len(hits) < most:
                best = [(item, score) for item, score in hits if item in chunks][:wanted]
                return dict(best), {item: chunks[item] for item, _ in best}
            most *= 4

    def _coverage(self, question: str, chunks: list[Chunk]) -> float:
        words = set(terms(question))
        size, frequencies = self.collection.keywords.document_frequencies(words)
        held = [set(terms(f"{chunk.doc} {chunk.heading} {chunk.text}")) for chunk in chunks]
        return coverage(words, held, frequencies, size)


def _passage(chunk: Chunk, score: float) -> Passage:
    return Passage(
        doc=chunk.doc, start=chunk.start, end=chunk.end, page=chunk.page, heading=chunk.heading, text=chunk.text,
        score=round(score, 6), document_id=chunk.document_id, sha256=chunk.sha256,
    )  # fmt: skip
