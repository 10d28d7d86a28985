"""Web pages: what a browser would show, as paragraphs, list items and table rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from app.readers.encoding import decode
from app.readers.script import fold
from app.schema import ExtractedText, Heading

if TYPE_CHECKING:
    from bs4 import Tag

_UNSHOWN = frozenset(
    "head script style template noscript nav svg math iframe object embed canvas audio video select datalist"
    " button textarea".split()
)
_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption"
    " figure footer form header hgroup hr html legend main menu ol p section summary table tbody tfoot thead"
    " ul".split()
)
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
# The markup is decoded before it is parsed; a declaration of its encoding would only confuse the parser.
_XML_DECLARATION = re.compile(r"<\?xml\b[^<>]*>", re.IGNORECASE)
_BLOCK, _LINE = "\n\n", "\n"


def read(name: str, data: bytes) -> ExtractedText:
    """The visible text of an HTML page with its headings; the page's title heads it where no h1 does.

    Blank lines part paragraphs; list items (``- item``) and table rows (``| a | b |``) are lines.
    """
    from bs4 import BeautifulSoup
    from bs4.dammit import EncodingDetector

    markup = decode(name, data, EncodingDetector.find_declared_encoding(data, is_html=True))
    # Beautiful Soup warns of a single line without tags as of a mistaken file name: hence the newline.
    soup = BeautifulSoup(_XML_DECLARATION.sub("", markup) + "\n", "lxml")
    page = _Page()
    page.add(soup)
    title = fold(soup.head.title.get_text()) if soup.head and soup.head.title else ""
    if title and not any(heading.level == 1 for heading in page.headings):
        page = _Page()
        page.add_heading(1, title)
        page.add(soup)
    return ExtractedText(page.text, headings=tuple(page.headings))


class _Page:
    """The text of elements as they are added, line by line; ``flat``: headings and rows as plain lines."""

    def __init__(self, flat: bool = False) -> None:
        self._flat = flat
        self.headings: list[Heading] = []
        self._parts: list[str] = []
        self._length = 0
        self._inline: list[str] = []  # what belongs to the line being collected
        self._gap = ""  # what goes between the last line and the next
        self._bullet = ""

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def add(self, root: Tag) -> None:
        """Everything visible in ``root``, without recursion: pages nest as deep as they like."""
        from bs4 import Tag
        from bs4.element import NavigableString

        open_tags, children = [root], [iter(root.children)]
        while open_tags:
            node = next(children[-1], None)
            if node is None:
                children.pop()
                self._leave(open_tags.pop())
            elif isinstance(node, Tag):
                if not _hidden(node) and self._enter(node):
                    open_tags.append(node)
                    children.append(iter(node.children))
            elif type(node) is NavigableString:  # its subclasses are comments and declarations
                self._inline.append(node)
        self._end_line(_BLOCK)

    def add_heading(self, level: int, title: str) -> None:
        self._end_line(_BLOCK)
        self._bullet = ""
        if title:
            self._put(title)
            self.headings.append(Heading(self._length - len(title), level, title))
            self._gap = _BLOCK

    def _enter(self, tag: Tag) -> bool:
        """Begins ``tag``; false when that has taken in all of it."""
        if tag.name in _HEADINGS and not self._flat:
            self.add_heading(int(tag.name[1]), _on_one_line(tag))
        elif tag.name == "pre":
            self._end_line(_BLOCK)
            if code := tag.get_text().strip("\r\n"):
                self._put(code)
                self._gap = _BLOCK
        elif tag.name == "tr" and not self._flat and (cells := _cells(tag)):
            self._end_line(_LINE)
            self._put(f"| {' | '.join(cells)} |")
            self._gap = _LINE
        elif tag.name == "br":
            self._end_line(_LINE)
        else:
            self._end_line_at(tag)
            if tag.name == "li":
                self._bullet = "- "
            return True
        return False

    def _leave(self, tag: Tag) -> None:
        self._end_line_at(tag)
        if tag.name == "li":
            self._bullet = ""

    def _end_line_at(self, tag: Tag) -> None:
        if tag.name in _BLOCKS or tag.name in _HEADINGS:
            self._end_line(_BLOCK)
        elif tag.name in ("li", "tr"):
            self._end_line(_LINE)
        elif tag.name in ("td", "th"):
            self._inline.append(" ")

    def _end_line(self, gap: str) -> None:
        words = fold("".join(self._inline))
        self._inline.clear()
        if words:
            self._put(self._bullet + words)
            self._bullet = self._gap = ""
        self._gap = max(self._gap, gap, key=len)

    def _put(self, words: str) -> None:
        gap = self._gap if self._parts else ""
        self._parts += (gap, words)
        self._length += len(gap) + len(words)


def _hidden(tag: Tag) -> bool:
    if tag.name in _UNSHOWN or tag.has_attr("hidden"):
        return True
    if tag.get("aria-hidden") == "true" or tag.get("role") == "navigation":
        return True
    return _HIDDEN_STYLE.search(str(tag.get("style", ""))) is not None


def _on_one_line(tag: Tag) -> str:
    part = _Page(flat=True)
    part.add(tag)
    return fold(part.text)


def _cells(row: Tag) -> list[str]:
    """The cells of a table's row; none for one that lays out the page: of one cell, or with tables in it."""
    from bs4 import Tag

    cells = [node for node in row.children if isinstance(node, Tag) and node.name in ("td", "th")]
    inner = (node.name for node in row.descendants if isinstance(node, Tag))
    if len(cells) < 2 or any(name == "table" or name in _HEADINGS for name in inner):
        return []
    texts = [_on_one_line(cell) for cell in cells if not _hidden(cell)]
    return texts if any(texts) else []
