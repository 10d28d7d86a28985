"""The chunks that may answer a question: found by words and by meaning, scored, and told how relevant they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.knowledge.collection import Collection
from app.knowledge.evidence import Question
from app.knowledge.fusion import fuse
from app.knowledge.records import Sentences
from app.knowledge.relevance import Scale
from app.knowledge.titles import titled
from app.schema import Chunk
from app.text import Span, language, pairs, terms

if TYPE_CHECKING:
    from app.knowledge.embedder import Vectors

_CANDIDATES = 60  # of each leg
_JUDGED = 10  # chunks of each leg that are looked at to tell whether any is relevant
_LANGUAGE_BONUS = 0.5  # deviations of the fused score, for chunks in the question's own language


@dataclass(frozen=True)
class Candidates:
    """``chunks``, their ``sentences`` and ``scores`` by id; ``relevance`` is the best chunk's (Scale.relevance).

    ``likeness``: how near sentences are to the question (Scale.meaning), by document and place, where that is known.
    """

    chunks: Mapping[int, Chunk]
    sentences: Mapping[int, Sequence[Span]]
    scores: Mapping[int, float]
    relevance: float
    likeness: Mapping[tuple[int, Span], float]


def find(collection: Collection, question: str, k: int) -> Candidates:
    """The candidates for ``k`` passages."""
    words, couples = terms(question), pairs(question, asked=True)
    spoken = language(question)
    understanding = collection.understanding(spoken)
    wanted = _CANDIDATES + 2 * k
    keywords, chunks = _ready(collection, lambda most: collection.keywords.search_terms(words, couples, most), wanted)
    dense: dict[int, float] = {}
    asked = None
    if understanding.trust > 0 or not keywords:
        asked = collection.embedder.embed_questions([question])[0]
        dense, near = _ready(collection, lambda most: collection.vectors.search(asked, most), wanted)
        chunks |= near
    sentences = collection.catalog.sentences(list(chunks))
    chunks = {item: chunk for item, chunk in chunks.items() if item in sentences}  # the rest has just been removed
    cosines = _cosines(sentences, asked)
    alike = {item: max(values) for item, values in cosines.items()}
    fused = fuse(dense, alike, keywords, trust=understanding.trust)
    scores = {
        item: fused[item] + (_LANGUAGE_BONUS if language(chunk.text) == spoken else 0.0)
        for item, chunk in chunks.items()
    }
    scale = Scale(collection.calibration, understanding)
    similar = {item: alike.get(item, dense.get(item, 0.0)) for item in chunks}
    beside = _neighbours(collection, chunks, scores, k)
    around = collection.catalog.sentences(list(beside))
    known = chunks | {item: chunk for item, chunk in beside.items() if item in around}
    spans = {item: found.spans for item, found in (sentences | around).items()}
    told = cosines | _cosines(around, asked) if understanding.trust > 0 else {}
    return Candidates(
        chunks=known,
        sentences=spans,
        scores=dict.fromkeys(beside, min(scores.values(), default=0.0) - 1) | scores,
        relevance=_relevance(scale, chunks, similar, keywords, Question(collection.keywords, words, couples)),
        likeness={
            (known[item].document_id, span): scale.meaning(value)
            for item in told.keys() & known.keys()
            for span, value in zip(spans[item], told[item], strict=True)
        },
    )


def _relevance(
    scale: Scale,
    chunks: Mapping[int, Chunk],
    similar: Mapping[int, float],
    keywords: Mapping[int, float],
    question: Question,
) -> float:
    """The best of the chunks that either leg has at its head; 0 where no word is asked."""
    if not question.words:
        return 0.0

    def share(item: int) -> float:
        return question.share(titled(chunks[item].doc, chunks[item].heading, chunks[item].text))

    third = _third_document(keywords, chunks)
    elsewhere = share(third) if third is not None else 0.0
    judged = {item for leg in (keywords, similar) for item in _best(leg, _JUDGED) if item in chunks}
    found = (scale.relevance(similar[item], share(item), elsewhere, question.words) for item in judged)
    return max(found, default=0.0)


def _cosines(sentences: Mapping[int, Sentences], asked: Vectors | None) -> dict[int, list[float]]:
    """Of the question with each sentence, by chunk, where they are embedded."""
    if asked is None:
        return {}
    return {item: (found.vectors @ asked).tolist() for item, found in sentences.items() if found.vectors is not None}


def _best(scores: Mapping[int, float], count: int) -> list[int]:
    return sorted(scores, key=lambda item: -scores[item])[:count]


def _third_document(keywords: Mapping[int, float], chunks: Mapping[int, Chunk]) -> int | None:
    """The best chunk, by its words, of the third best document; None where fewer hold any."""
    best: dict[int, int] = {}
    for item in _best(keywords, len(keywords)):
        if item in chunks:
            best.setdefault(chunks[item].document_id, item)
    return list(best.values())[2] if len(best) > 2 else None


def _neighbours(
    collection: Collection, chunks: Mapping[int, Chunk], scores: Mapping[int, float], k: int
) -> dict[int, Chunk]:
    """What stands before and after the best chunks and was not found itself: passages grow into it last."""
    best = sorted(scores, key=lambda item: -scores[item])[: 2 * k]
    places = {(chunks[item].document_id, item + step) for item in best for step in (-1, 1)}
    found = collection.catalog.chunks(sorted({item for _, item in places} - scores.keys()))
    # What has the next number may be of another document, and of another collection.
    return {item: chunk for item, chunk in found.items() if (chunk.document_id, item) in places}


def _ready(
    collection: Collection, search: Callable[[int], list[tuple[int, float]]], wanted: int
) -> tuple[dict[int, float], dict[int, Chunk]]:
    """The ``wanted`` best of a leg with their chunks; what is not ready, or is removed, takes nobody's place."""
    most = wanted
    while True:
        hits = search(most)
        chunks = collection.catalog.chunks([item for item, _ in hits])
        if len(chunks) >= wanted or len(hits) < most:
            best = [(item, score) for item, score in hits if item in chunks][:wanted]
            return dict(best), {item: chunks[item] for item, _ in best}
        most *= 4
