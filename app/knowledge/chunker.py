"""Cuts a document into chunks at its own joints: headings first, then paragraphs, then sentences.

A chunk holds whole sentences as long as a sentence fits, stays inside one section, and repeats the end of the chunk
before it, so that a thought that runs across the cut is whole in one of the two.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from app.schema import ChunkSpan, ExtractedText, Heading
from app.text import Span, language, sentences, trim

# Code points. A Chinese character says about as much as two Latin ones, and an embedding model that reads
# 256 tokens sees a whole chunk of either size.
TARGET = {"en": 1000, "zh": 600}
OVERLAP = {"en": 200, "zh": 120}


def chunk(document: ExtractedText) -> list[ChunkSpan]:
    """The chunks of ``document`` in order; every non-blank character is in at least one of them."""
    text = document.text
    lang = language(text)
    spans: list[ChunkSpan] = []
    for start, end, heading in _sections(text, document.headings):
        for piece in _pack(text, start, end, TARGET[lang], OVERLAP[lang]):
            spans.append(ChunkSpan(piece[0], piece[1], _page_at(document, piece[0]), heading))
    return spans


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


def _pack(text: str, start: int, end: int, target: int, overlap: int) -> list[Span]:
    """``text[start:end]`` in pieces of at most about ``target`` code points, cut between sentences."""
    first, last = trim(text, start, end)
    if first >= last:
        return []
    if last - first <= target * 5 // 4:
        return [(first, last)]
    units = [part for span in sentences(text, first, last) for part in _split_long(text, span, target)]
    pieces: list[Span] = []
    begin = 0
    while begin < len(units):
        stop = begin + 1
        while stop < len(units) and units[stop][1] - units[begin][0] <= target:
            stop += 1
        if stop < len(units):
            stop = _at_paragraph(text, units, begin, stop)
        pieces.append((units[begin][0], units[stop - 1][1]))
        if stop >= len(units):
            break
        back = stop
        while back - 1 > begin and units[stop - 1][1] - units[back - 1][0] <= overlap:
            back -= 1
        while back < stop and units[stop][1] - units[back][0] > target:
            back += 1  # what is repeated would leave no room for anything new
        begin = back
    return pieces


def _at_paragraph(text: str, units: Sequence[Span], begin: int, stop: int) -> int:
    """``stop``, or an earlier cut at a blank line when that keeps at least two thirds of the piece."""
    enough = units[begin][0] + (units[stop - 1][1] - units[begin][0]) * 2 // 3
    for cut in range(stop, begin + 1, -1):
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
        cut = max(window.rfind(mark, limit // 2) for mark in " \n\t，、,")
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
