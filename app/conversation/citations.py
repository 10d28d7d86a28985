"""Which passage each statement of an answer comes from, and whether it says so in the passage's own words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.schema import Citation, Passage
from app.text import Span, has_han, sentences, statements

_LEAST = 12
_LEAST_HAN = 6

_NUMBERS = r"\d{1,3}(?:\s*[,，、;；–-]\s*\d{1,3})*(?:†[^\]】］]*)?"
_MARKER = re.compile(rf"[\[【［]\s*({_NUMBERS})\s*[\]】］](?!\()")  # "[1](…" is a link
_GROUP = re.compile(rf"{_MARKER.pattern}(?:\s*{_MARKER.pattern})*")
_CODE = re.compile(r"^[ \t]*```[^\n]*\n.*?^[ \t]*```|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_CODE_OR_MARKER = re.compile(rf"(?P<code>{_CODE.pattern})|[ \t]?{_MARKER.pattern}", _CODE.flags)

_LIST_MARK = re.compile(r"^\s*(?:(?:[-+>•]|#{1,6}|\d{1,3}[.)])\s+|\d{1,3}、|\*\s+)+")
_QUOTED = re.compile(r"[\"“”„«「『]([^\"“”„«»「」『』]+)[\"“”»」』]")
_EDGES = " \t\n\"'.,;:!?()…-。，、；：！？"

# Told apart by nobody who reads a quotation: full and half width, straight and curly, markdown emphasis.
_EMPHASIS = "*_`~"
_FOLDED: dict[int, str] = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys(map(ord, "“”„«»「」『』"), '"'),
    **dict.fromkeys(map(ord, "‘’‚‹›"), "'"),
    **dict.fromkeys(map(ord, "‐‑‒–—−"), "-"),
    **dict.fromkeys(map(ord, _EMPHASIS + "\u200b\u200c\u200d\u2060\ufeff\u00ad"), ""),
    ord("…"): "...",
}


@dataclass(frozen=True)
class Folded:
    """A text without white space, emphasis and case of marks; character i stood at ``origin[i]``."""

    text: str
    origin: tuple[int, ...]

    def span(self, start: int, end: int) -> Span:
        """Folded positions as a span of the original text."""
        return self.origin[start], self.origin[end - 1] + 1


def fold(text: str) -> Folded:
    """``text`` in the form in which quotations are compared."""
    kept: list[str] = []
    origin: list[int] = []
    for index, mark in enumerate(text):
        if not mark.isspace():
            for folded in _FOLDED.get(ord(mark), mark):
                kept.append(folded)
                origin.append(index)
    return Folded("".join(kept), tuple(origin))


def long_enough(folded: str) -> bool:
    """Whether ``folded`` is so long that finding it in a passage is no accident."""
    return len(folded) >= _LEAST or (has_han(folded) and sum(map(has_han, folded)) >= _LEAST_HAN)


def cite(answer: str, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """The citations of ``answer``; its markers ([1], [2][3], [1, 2], 【1】, ［1］) count ``passages`` from 1.

    A sentence before its marker that stands verbatim in the passage narrows the citation to those words and
    is supported; otherwise the citation is the whole passage, unchecked. A marker out of range cites nothing.
    One citation for each number and span, in order of appearance. An answer without any valid marker cites
    all passages; an empty one cites none.
    """
    if not answer.strip():
        return ()
    texts = [fold(passage.text) for passage in passages]
    found: dict[tuple[int, int, int], Citation] = {}
    for numbers, claims in _claims(answer, texts):
        for number in numbers:
            passage = passages[number - 1]
            citation = _citation(number, passage, _find(claims, texts[number - 1], passage.text))
            key = (number, citation.start, citation.end)
            if citation.supported or key not in found:
                found[key] = citation
    return tuple(found.values()) or tuple(_citation(n, passage, None) for n, passage in enumerate(passages, 1))


def without_markers(text: str) -> str:
    """``text`` without its citation markers, which mean nothing beside other passages."""
    return _CODE_OR_MARKER.sub(lambda match: match["code"] or "", text)


def _citation(number: int, passage: Passage, span: Span | None) -> Citation:
    start, end, text = passage.start, passage.end, passage.text
    if span is not None:
        start, end, text = passage.start + span[0], passage.start + span[1], passage.text[slice(*span)]
    return Citation(
        n=number,
        doc=passage.doc,
        page=passage.page,
        start=start,
        end=end,
        text=text,
        supported=True if span is not None else None,
        heading=passage.heading,
        document_id=passage.document_id,
        sha256=passage.sha256,
    )


def _claims(answer: str, texts: Sequence[Folded]) -> Iterator[tuple[list[int], list[str]]]:
    """The passage numbers of each group of markers, and the wordings that they may stand for, best first."""
    code = [match.span() for match in _CODE.finditer(answer)]
    position, before = 0, ""
    for line in answer.splitlines(keepends=True):
        quotation = _quotation(line, texts)
        if quotation is not None:
            yield quotation
        else:
            begin = 0
            for group in _GROUP.finditer(line):
                if any(start <= position + group.start() < end for start, end in code):
                    continue
                if numbers := _numbers(group[0], len(texts)):
                    segment = line[begin : group.start()]  # blank where the markers have a line of their own
                    yield numbers, list(_wordings(segment if re.search(r"\w", segment) else before))
                begin = group.end()
        position += len(line)
        before = line if line.strip() else before


def _quotation(line: str, texts: Sequence[Folded]) -> tuple[list[int], list[str]] | None:
    """The claim of a line that is one quotation with markers of its own document in it ("tall.[3] It was [1]")."""
    markers = list(_MARKER.finditer(line))
    if len(markers) < 2:
        return None
    last = markers[-1]
    numbers, quoted = _numbers(last[0], len(texts)), _LIST_MARK.sub("", line[: last.start()])
    folded = fold(quoted).text
    if long_enough(folded) and any(folded in texts[number - 1].text for number in numbers):
        return numbers, [quoted]
    return None


def _numbers(markers: str, count: int) -> list[int]:
    numbers: dict[int, None] = {}
    for marker in _MARKER.finditer(markers):
        for part in re.split(r"[,，、;；]", marker[1].split("†")[0]):
            first, *rest = (int(number) for number in re.findall(r"\d+", part))
            numbers.update(dict.fromkeys(range(first, (rest[-1] if rest else first) + 1)))
    return [number for number in numbers if 1 <= number <= count]


def _wordings(segment: str) -> Iterator[str]:
    segment = _LIST_MARK.sub("", segment).lstrip(" .,;:。，；：、")
    whole, last = (spans[-1] if spans else (0, 0) for spans in (statements(segment), sentences(segment)))
    yield segment[slice(*whole)]
    if last != whole:
        yield segment[slice(*last)]
    yield segment
    yield from reversed(_QUOTED.findall(segment[slice(*whole)]))


def _find(claims: Sequence[str], passage: Folded, text: str) -> Span | None:
    for claim in claims:
        whole = fold(claim).text
        for wanted in (whole, whole.strip(_EDGES)):
            if long_enough(wanted) and (at := passage.text.find(wanted)) >= 0:
                return with_emphasis(text, *passage.span(at, at + len(wanted)))
    return None


def with_emphasis(text: str, start: int, end: int) -> Span:
    """The span with the emphasis marks that touch it, so that none of a pair is cut off."""
    while start > 0 and text[start - 1] in _EMPHASIS:
        start -= 1
    while end < len(text) and text[end] in _EMPHASIS:
        end += 1
    return start, end
