"""From the lines of a printed page to its paragraphs.

A PDF knows glyphs at places, not paragraphs. Lines that only the column's width broke are joined, so that
sentences are whole; what was set apart (by space, indent, size, or a line ended early on purpose) becomes a
paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from statistics import median_low

from app.readers.script import is_cjk

PARAGRAPH_BREAK = "\n\n"
INSERTED = -1
"""In ``origins``: a character that stands for no glyph of the page."""

_TERMINAL = re.compile(r"[.!?:;。！？：；…][\"'”’)\]）】」』》]*$")
_LIST_ITEM = re.compile(
    r"[•‣◦▪●○■□◆–—*·-]\s|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})[.)]\s|\[\d{1,3}\]\s|[（(]?[一二三四五六七八九十]{1,3}[、）)]"
)


@dataclass
class Line:
    """One printed line, turned upright. Lengths in points; ``base`` is its baseline, upwards.

    ``origins`` gives for each character of ``text`` the index of its glyph on the page. ``hyphen`` is the
    index of the glyph that divides the line's last word, else ``INSERTED``; ``text`` is without it.
    """

    text: str
    origins: list[int]
    left: float
    right: float
    base: float
    size: float
    hyphen: int = INSERTED


@dataclass(frozen=True)
class Paragraph:
    """A span of the page's text, set in one font size (points)."""

    start: int
    end: int
    size: float


@dataclass
class PageText:
    """A page's text, the glyph index behind each of its characters, and its paragraphs."""

    text: str = ""
    origins: list[int] = field(default_factory=list)
    paragraphs: list[Paragraph] = field(default_factory=list)


def lay_out(pieces: Iterable[Line]) -> PageText:
    """The text of lines, none of them blank, in reading order; raised marks may be pieces of their own."""
    lines = _whole_lines(pieces)
    texts: list[str] = []
    page = PageText()
    start = 0
    for line, joint in zip_longest(lines, _joints(lines), fillvalue=PARAGRAPH_BREAK):
        assert isinstance(line, Line)  # there is one joint fewer than lines
        texts.append(line.text)
        page.origins.extend(line.origins)
        if joint == PARAGRAPH_BREAK:
            page.paragraphs.append(Paragraph(start, len(page.origins), line.size))
            start = len(page.origins) + len(joint)
        texts.append(joint)
        page.origins.extend([line.hyphen if joint == "-" else INSERTED] * len(joint))
    page.text = "".join(texts[:-1])
    del page.origins[len(page.text) :]
    return page


def _whole_lines(pieces: Iterable[Line]) -> list[Line]:
    lines: list[Line] = []
    for piece in pieces:
        line = lines[-1] if lines else piece
        if line is piece or piece.left <= line.left or abs(line.base - piece.base) >= 0.6 * line.size:
            lines.append(piece)
            continue
        touching = piece.left - line.right < 0.15 * line.size
        # A raised footnote mark must not lengthen the number before it.
        glue = "" if touching and not (line.text[-1].isdigit() and piece.text[0].isdigit()) else " "
        main = max(line, piece, key=lambda part: len(part.text))
        lines[-1] = Line(
            line.text + glue + piece.text,
            [*line.origins, *[INSERTED] * len(glue), *piece.origins],
            line.left,
            piece.right,
            main.base,
            main.size,
            piece.hyphen,
        )
    return lines


def _joints(lines: Sequence[Line]) -> Iterator[str]:
    """What goes between each line and the next: a paragraph break, a blank, a hyphen or nothing."""
    drops = [above.base - below.base for above, below in pairwise(lines)]
    usual = [drop for drop, line in zip(drops, lines, strict=False) if 0 < drop < 3 * line.size]
    pitch = median_low(usual) if usual else 0.0
    follows = [
        0 < drop <= 1.4 * pitch and _same_size(*pair)
        for drop, pair in zip(drops, pairwise(lines), strict=True)
    ]
    edges = _edges(lines, follows)
    for index, (above, below) in enumerate(pairwise(lines)):
        if _continues(above, below, follows[index], edges[index]):
            yield _wrap(above, below)
        else:
            yield PARAGRAPH_BREAK


def _same_size(above: Line, below: Line) -> bool:
    return 1 / 1.2 < above.size / below.size < 1.2


def _edges(lines: Sequence[Line], follows: Sequence[bool]) -> list[float]:
    """How far to the right each line's column goes: as far as any line of the block it stands in."""
    edges = [line.right for line in lines]
    for index, joined in enumerate(follows):
        if joined:
            edges[index + 1] = max(edges[index + 1], edges[index])
    for index in reversed(range(len(follows))):
        if follows[index]:
            edges[index] = edges[index + 1]
    return edges


def _continues(above: Line, below: Line, follows: bool, edge: float) -> bool:
    """Whether ``below`` goes on with the paragraph of ``above``; ``follows``: it stands right below it."""
    if _LIST_ITEM.match(below.text) or not _same_size(above, below):
        return False
    ended = _TERMINAL.search(above.text) is not None
    unfinished = above.hyphen != INSERTED or (below.text[0].islower() and not ended)
    if not follows:  # the next column, or something printed elsewhere
        return unfinished and below.base > above.base and below.left > above.right
    indented = below.left - above.left > 0.8 * below.size
    return unfinished or not (_ended_early(above, below, edge) or (indented and ended))


def _ended_early(above: Line, below: Line, edge: float) -> bool:
    """Whether the first word of ``below`` had room at the end of ``above``: then the break was meant."""
    first = 1 if is_cjk(below.text[0]) else len(below.text.split(maxsplit=1)[0])
    width = (below.right - below.left) * first / len(below.text)
    return edge - above.right > width + 0.5 * above.size


def _wrap(above: Line, below: Line) -> str:
    """What stands for the line break within a paragraph."""
    if above.hyphen != INSERTED:
        word = above.text.rsplit(maxsplit=1)[-1]
        return "" if below.text[0].islower() and "-" not in word else "-"  # "state-of-the-" keeps its hyphen
    if is_cjk(above.text[-1]) and is_cjk(below.text[0]):
        return ""
    return "" if above.text.endswith("-") and not above.text.endswith(" -") else " "
