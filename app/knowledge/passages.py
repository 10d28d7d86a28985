"""Puts passages together: small chunks are found, and what is handed out is the text around their best sentences.

A passage begins with the best sentence that is in none yet and grows towards the better of its two neighbours, inside
its section, until it is long enough to be understood alone. So no passage repeats another, and what stands beside the
words that matched comes along.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.schema import Chunk
from app.text import Span, language

LONGEST = {"en": 1000, "zh": 800}
"""Code points of a passage; only a chunk that is longer by itself makes a longer one."""


@dataclass(frozen=True)
class Window:
    """``chunk`` is the one that its best sentence is in; ``score`` is that chunk's."""

    chunk: Chunk
    start: int
    end: int
    score: float


@dataclass
class _Sentence:
    span: Span
    chunk: Chunk
    score: float
    taken: bool = False


def windows(
    chunks: Mapping[int, Chunk], sentences: Mapping[int, Sequence[Span]], scores: Mapping[int, float]
) -> Iterator[Window]:
    """Passages from scored chunks, best first, until every sentence is in one.

    Args:
        chunks: those found, by id.
        sentences: their sentences in order.
        scores: of the chunks; higher is better.
    """
    runs = list(_runs(chunks, sentences, scores))
    order = sorted(
        ((run, index) for run in runs for index in range(len(run))),
        key=lambda at: (-at[0][at[1]].score, at[0][at[1]].chunk.id, at[0][at[1]].span),
    )
    for run, index in order:
        if not run[index].taken:
            yield _grown(run, index)


def _grown(run: Sequence[_Sentence], index: int) -> Window:
    best = run[index]
    best.taken = True
    first = last = index
    longest = LONGEST[language(best.chunk.text)]
    while True:
        beside = [
            at
            for at in (first - 1, last + 1)
            if 0 <= at < len(run)
            and not run[at].taken
            and max(run[at].span[1], run[last].span[1]) - min(run[at].span[0], run[first].span[0]) <= longest
        ]
        if not beside:
            return Window(best.chunk, run[first].span[0], run[last].span[1], best.score)
        nearest = max(beside, key=lambda at: run[at].score)
        run[nearest].taken = True
        first, last = min(first, nearest), max(last, nearest)


def _runs(
    chunks: Mapping[int, Chunk], sentences: Mapping[int, Sequence[Span]], scores: Mapping[int, float]
) -> Iterator[list[_Sentence]]:
    """Sentences that follow each other in one section, each with the best score of the chunks that it is in."""
    by_document: dict[int, list[Chunk]] = defaultdict(list)
    for item in sorted(chunks):  # ids rise with the place in the document
        by_document[chunks[item].document_id].append(chunks[item])
    for found in by_document.values():
        run: list[_Sentence] = []
        before: Chunk | None = None
        for chunk in found:
            if before is None or chunk.id != before.id + 1 or chunk.heading != before.heading:
                if run:
                    yield run
                run = []
            repeated = run[-len(sentences[before.id]) :] if run and before else []
            known = {sentence.span: sentence for sentence in repeated}
            for span in sentences[chunk.id]:
                if span not in known:
                    run.append(_Sentence(span, chunk, scores[chunk.id]))
                elif known[span].score < scores[chunk.id]:
                    known[span].chunk, known[span].score = chunk, scores[chunk.id]
            before = chunk
        yield run
