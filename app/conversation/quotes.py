"""An answer's text with its quotations taken out, so that what is kept of it holds no text of a document.

A kept answer is a list of pieces: the answer's own words as strings, and :class:`Quote`s that point into the
documents. They differ in kind, so that no text, whoever wrote it, can pass for a pointer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from app.conversation.citations import Folded, fold, long_enough, with_emphasis
from app.schema import Citation
from app.text import sentences


@dataclass(frozen=True)
class Quote:
    """Words of a document, ``start`` to ``end``: that of its answer's citation number ``citation`` (from 0)."""

    citation: int
    start: int
    end: int


def take_out(answer: str, citations: Sequence[Citation]) -> list[str | Quote]:
    """``answer`` in order, with pointers in place of what stands verbatim in its citations' texts.

    That are the words of supported citations wherever they occur, and every sentence of the answer that
    stands in a cited passage, marked or not.
    """
    folded = fold(answer)
    owners: list[tuple[int, int] | None] = [None] * len(folded.text)  # (citation, position in its folded text)
    texts = [fold(citation.text) for citation in citations]
    for number, citation in enumerate(citations):
        if citation.supported:
            for at in _occurrences(texts[number].text, folded.text):
                _own(owners, at, number, 0, len(texts[number].text))
    for sentence in _sentences(answer):
        at, wanted = _position(folded, sentence[0]), fold(answer[slice(*sentence)]).text
        for number, text in enumerate(texts):
            begin = text.text.find(wanted) if long_enough(wanted) else -1
            if begin >= 0:
                _own(owners, at, number, begin, len(wanted))
                break
    return list(_pieces(answer, folded, owners, texts, citations))


def _own(owners: list[tuple[int, int] | None], at: int, citation: int, begin: int, length: int) -> None:
    for step in range(length):
        if owners[at + step] is None:
            owners[at + step] = (citation, begin + step)


def _occurrences(wanted: str, text: str) -> Iterator[int]:
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        yield at
        at = text.find(wanted, at + len(wanted))


def _sentences(answer: str) -> Iterator[tuple[int, int]]:
    """Sentences, and the parts before their markers, which is where quotations end."""
    for start, end in sentences(answer):
        yield start, end
        marker = max(answer.rfind(mark, start, end) for mark in "[【［")
        if marker > start:
            yield start, marker


def _position(folded: Folded, index: int) -> int:
    """Where the first character at or after ``index`` of the original stands in the folded text."""
    return bisect_left(folded.origin, index)


def _pieces(
    answer: str,
    folded: Folded,
    owners: Sequence[tuple[int, int] | None],
    texts: Sequence[Folded],
    citations: Sequence[Citation],
) -> Iterator[str | Quote]:
    """Runs of one owner in a row become quotes; all between them stays as it was written."""

    def run(index: int) -> tuple[int, int] | None:
        owner = owners[index]
        return None if owner is None else (owner[0], owner[1] - index)

    written = 0
    for owner, group in groupby(range(len(owners)), key=run):
        indices = list(group)
        if owner is None:
            continue
        number, shift = owner
        start, end = with_emphasis(answer, *folded.span(indices[0], indices[-1] + 1))
        if start > written:
            yield answer[written:start]
        text, words = citations[number].text, texts[number]
        local = with_emphasis(text, *words.span(indices[0] + shift, indices[-1] + shift + 1))
        yield Quote(number, citations[number].start + local[0], citations[number].start + local[1])
        written = max(written, end)
    if written < len(answer):
        yield answer[written:]
