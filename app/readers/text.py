"""Plain text, CSV and Markdown: the extracted text is the decoded file, character for character."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.readers.encoding import decode
from app.schema import ExtractedText, Heading

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})((?:[ \t].*)?)$")
_CLOSING = re.compile(r"(?:^|[ \t])#+$")
# "== Title ==" as MediaWiki and AsciiDoc-like texts have it, also with blanks between the signs.
_WIKI = re.compile(r"[ \t]*(=(?:[ \t]*=){0,5})[ \t]+([^=\s](?:[^=]*[^=\s])?)[ \t]+(=(?:[ \t]*=){0,5})[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
# A line that an underline cannot make a heading of: blank, indented code, quote, list item, table row, rule.
_NO_PARAGRAPH = re.compile(
    r"\s*$| {4}|\t| {0,3}(?:[>|]|[-*+][ \t]|\d{1,9}[.)][ \t]|([-*_])[ \t]*(?:\1[ \t]*){2,}$)"
)
_FRONT_MATTER = re.compile(
    r"---[ \t]*(?:\r\n|\r|\n)(?:.*?(?:\r\n|\r|\n))??(?:---|\.\.\.)[ \t]*(?=[\r\n]|\Z)", re.DOTALL
)
_LONGEST_TITLE = 500  # characters
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def read_plain(name: str, data: bytes) -> ExtractedText:
    """``data`` decoded, its newlines untouched, with the headings of wiki markup."""
    text = decode(name, data)
    found = (_wiki_heading(start, line) for start, line in _lines(text, 0))
    return ExtractedText(text, headings=tuple(heading for heading in found if heading))


def read_markdown(name: str, data: bytes) -> ExtractedText:
    """``data`` decoded, with its headings; a heading starts where its line does."""
    text = decode(name, data)
    return ExtractedText(text, headings=tuple(_headings(text)))


def _headings(text: str) -> Iterator[Heading]:
    fence = ""
    paragraph: list[tuple[int, str]] = []  # the lines that an underline would end
    for start, line in _lines(text, _front_matter_end(text)):
        opening = _FENCE.match(line)
        if fence:
            if opening and opening[1].startswith(fence) and not line[opening.end() :].strip():
                fence = ""
            continue
        if wiki := _wiki_heading(start, line):
            yield wiki
            paragraph = []
            continue
        underline = _UNDERLINE.match(line)
        if underline and paragraph:
            (at, words), *more = paragraph
            if not more and (title := _title(words)):  # under a longer paragraph a rule is meant
                yield Heading(at, 1 if underline[1][0] == "=" else 2, title)
            paragraph = []
            continue
        atx = _ATX.match(line)
        if opening:
            fence = opening[1]
        elif atx and (title := _title(_CLOSING.sub("", atx[2].strip()))):
            yield Heading(start, len(atx[1]), title)
        if opening or atx or _NO_PARAGRAPH.match(line):
            paragraph = []
        else:
            paragraph.append((start, line))


def _wiki_heading(start: int, line: str) -> Heading | None:
    match = _WIKI.match(line[: 2 * _LONGEST_TITLE])
    if match is None or (level := match[1].count("=")) != match[3].count("="):
        return None
    return Heading(start, level, _title(match[2]))


def _lines(text: str, start: int) -> Iterator[tuple[int, str]]:
    """Each line with its offset, without its newline; only CR and LF end lines, as in Markdown."""
    for match in _LINE.finditer(text, start):
        yield match.start(), match[0].rstrip("\r\n")


def _front_matter_end(text: str) -> int:
    """Where the YAML block that may open a Markdown file ends; 0 without one."""
    block = _FRONT_MATTER.match(text)
    return block.end() if block else 0


def _title(source: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[*`]", "", _LINK.sub(r"\1", source[:_LONGEST_TITLE]))).strip()
