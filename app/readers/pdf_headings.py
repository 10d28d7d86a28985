"""The headings of a PDF: its outline, or where it has none, its large type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

from app.readers.pdf_layout import PageText
from app.readers.script import fold
from app.schema import Heading, Page

_MOST_BOOKMARKS = 5_000
_LONGEST = 120  # characters; longer large type is a pull quote or a slide
_LEVELS = 3


def from_outline(pdf: Any, text: str, pages: Sequence[Page]) -> tuple[Heading, ...]:
    """The bookmarks of ``pdf`` (an open pypdfium2 ``PdfDocument``), each at its words on its page.

    One whose words are not on that page starts where the page does; one of a page without text is left out.
    """
    headings: list[Heading] = []
    taken: set[int] = set()
    for bookmark in islice(pdf.get_toc(), _MOST_BOOKMARKS):
        try:
            title = fold(bookmark.get_title())
        except UnicodeDecodeError:
            continue
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        if title and index is not None and 0 <= index < len(pages) and pages[index].start < pages[index].end:
            start = _place(title, text, pages[index], taken)
            taken.add(start)
            headings.append(Heading(start, bookmark.level + 1, title))
    return tuple(sorted(headings, key=lambda heading: heading.start))


def _place(title: str, text: str, page: Page, taken: set[int]) -> int:
    """Where ``title`` stands on ``page``, not yet taken, at the start of a paragraph rather than within."""
    words = re.compile(r"\s*".join(map(re.escape, title[:200].replace(" ", ""))), re.IGNORECASE)
    matches = [match.start() for match in words.finditer(text, page.start, page.end)]
    opening = [start for start in matches if start == page.start or text[start - 1] == "\n"]
    free = [start for start in [*opening, *matches] if start not in taken]
    return next(iter([*free, *matches, page.start]))


def from_sizes(pages: Sequence[tuple[int, PageText]]) -> tuple[Heading, ...]:
    """Short paragraphs in type clearly larger than most of the text; ``pages`` are (start, layout)."""
    letters: Counter[int] = Counter()  # by size in half points
    for _, page in pages:
        for paragraph in page.paragraphs:
            letters[round(2 * paragraph.size)] += paragraph.end - paragraph.start
    if not letters:
        return ()
    body = letters.most_common(1)[0][0]
    found = [
        (start + paragraph.start, round(2 * paragraph.size), fold(page.text[paragraph.start : paragraph.end]))
        for start, page in pages
        for paragraph in page.paragraphs
        if 2 * paragraph.size >= 1.15 * body and paragraph.end - paragraph.start <= _LONGEST
    ]
    named = [(start, size, title) for start, size, title in found if any(char.isalpha() for char in title)]
    sizes = sorted({size for _, size, _ in named}, reverse=True)
    return tuple(Heading(start, min(sizes.index(size) + 1, _LEVELS), title) for start, size, title in named)
