"""Cuts a document into chunks at its own joints: headings first, then paragraphs, then sentences.

A chunk holds whole sentences as long as a sentence fits, stays inside one section, and repeats the end of the chunk
before it, so that a thought that runs across the cut is whole in one of the two. Chunks are small, for they are what
is searched; what is handed out is put together from neighbours (passages.py).
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator, Sequence

from app.schema import ChunkSpan, ExtractedText, Heading
from app.text import Span, language, sentences, trim

# Code points. A Chinese character says about as much as two Latin ones.
TARGET = {"en": 500, "zh": 300}
OVERLAP = {"en": 100, "zh": 60}
_LONGEST_TITLE = 200  # code points
_NO_TITLE = re.compile(r"[.。!！;；,，:：…]$")

Fits = Callable[[Sequence[str]], Sequence[bool]]
"""Whether each text is short enough for the embedding model to read it whole."""


def chunk(document: ExtractedText, fits: Fits = lambda texts: [True] * len(texts)) -> list[ChunkSpan]:
    """The chunks of ``document`` in order; every non-blank character is in at least one of them.

    A document without headings is headed by its first line, where that looks like a title.
    """
    text = document.text
    lang = language(text)
    title = "" if document.headings else _first_line(text)
    chunks: list[ChunkSpan] = []
    for start, end, heading in _sections(text, document.headings):
        for units in _fitting(text, start, end, TARGET[lang], OVERLAP[lang], fits):
            begin = units[0][0]
            chunks.append(ChunkSpan(begin, units[-1][1], _page_at(document, begin), heading or title, tuple(units)))
    return chunks


def _first_line(text: str) -> str:
    start, end = trim(text, 0, len(text))
    line = text[start : start + _LONGEST_TITLE + 1].split("\n")[0].strip()
    rest = text[start + len(line) : end].strip()
    return line if rest and len(line) <= _LONGEST_TITLE and not _NO_TITLE.search(line) else ""


def _sections(text: str, headings: Sequence[Heading]) -> list[tuple[int, int, str]]:
    """Spans between headings with their path of titles; a heading with nothing under it joins what follows."""
    sections: list[tuple[int, int, str]] = []
    path: list[Heading] = []
    pending: int | None = None
    bounds = [*[heading.start for heading in headings], len(text)]
    if trim(text, 0, bounds[0])[0] < bounds[0]:
        sections.append((0, bounds[0], ""))
    for heading, end in zip(headings, bounds[1:], strict=True):
        path = [*[above for above in path if above.level < heading.level], heading]
        start = heading.start if pending is None else pending
        body_start, body_end = trim(text, heading.start, end)
        if "\n" not in text[body_start:body_end] and end < len(text):
            pending = start
            continue
        sections.append((start, end, " > ".join(above.title for above in path)))
        pending = None
    return sections


def _fitting(text: str, start: int, end: int, target: int, overlap: int, fits: Fits) -> Iterator[list[Span]]:
    """:func:`_pack`, with what the model cannot read whole in smaller pieces.

    Those repeat nothing of the pieces around them, nor these of those: they may cut a sentence that is whole there.
    """
    pieces = _pack(text, start, end, target, overlap)
    whole = fits([text[units[0][0] : units[-1][1]] for units in pieces])
    done, finer = start, False
    for units, fit in zip(pieces, whole, strict=True):
        if (finer or not fit) and units[0][0] < done:
            units = [unit for unit in units if unit[0] >= done]
            fit = fits([text[units[0][0] : units[-1][1]]])[0]
        if fit or target == 1:
            yield units
        else:
            yield from _fitting(text, units[0][0], units[-1][1], max(1, target // 2), overlap // 2, fits)
        done, finer = units[-1][1], not fit


def _pack(text: str, start: int, end: int, target: int, overlap: int) -> list[list[Span]]:
    """``text[start:end]`` in pieces of about ``target`` code points at most, each a list of its sentences."""
    first, last = trim(text, start, end)
    if first >= last:
        return []
    units = [part for span in sentences(text, first, last) for part in _split_long(text, span, target)]
    if last - first <= target * 5 // 4:
        return [units]
    pieces: list[list[Span]] = []
    begin = stop = 0
    while begin < len(units):
        done, stop = stop, begin + 1
        while stop < len(units) and units[stop][1] - units[begin][0] <= target:
            stop += 1
        if stop < len(units):
            stop = _at_paragraph(text, units, begin, stop, done)
        pieces.append(units[begin:stop])
        if stop >= len(units):
            break
        back = stop
        while back - 1 > begin and units[stop - 1][1] - units[back - 1][0] <= overlap:
            back -= 1
        while back < stop and units[stop][1] - units[back][0] > target:
            back += 1  # what is repeated would leave no room for anything new
        begin = back
    return pieces


def _at_paragraph(text: str, units: Sequence[Span], begin: int, stop: int, done: int) -> int:
    """``stop``, or an earlier cut at a blank line when that keeps at least two thirds of the piece, and what is new."""
    enough = units[begin][0] + (units[stop - 1][1] - units[begin][0]) * 2 // 3
    for cut in range(stop, max(begin + 1, done), -1):
        if units[cut - 1][1] < enough:
            break
        if text.count("\n", units[cut - 1][1], units[cut][0]) >= 2:
            return cut
    return stop


def _split_long(text: str, span: Span, limit: int) -> list[Span]:
    """A sentence longer than ``limit`` in parts, cut at white space or a comma where there is one."""
    start, end = span
    parts: list[Span] = []
    while end - start > limit:
        window = text[start : start + limit]
        cut = window.rfind("\n", limit // 2)  # a row of a table, a line of a log
        if cut < 0:
            cut = max(window.rfind(mark, limit // 2) for mark in " \t，、,；")
        middle = start + (cut + 1 if cut > 0 else limit)
        parts.append(trim(text, start, middle))
        start = middle
    parts.append(trim(text, start, end))
    return [part for part in parts if part[0] < part[1]]


def _page_at(document: ExtractedText, offset: int) -> int | None:
    if not document.pages:
        return None
    index = bisect.bisect_right([page.start for page in document.pages], offset) - 1
    return document.pages[max(index, 0)].number
