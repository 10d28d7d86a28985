"""Word documents (.docx): paragraphs, headings, lists, tables and notes in their order.

The document's elements are walked here instead of python-docx's paragraphs, which leave out what stands in
content controls, tracked insertions and text boxes.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

from app.errors import DamagedDocument, ProtectedDocument, UnsupportedFormat
from app.readers.kinds import LOCKED_OFFICE, kind_of, misnamed
from app.readers.office_numbering import Numbering
from app.readers.office_styles import Styles, W
from app.readers.script import fold
from app.schema import ExtractedText, Heading

MAX_XML = 200 * 1024 * 1024
"""The most that the XML of a document may hold once unpacked, in bytes."""
MAX_UNPACKED = 500 * 1024 * 1024
"""The same for all of it, pictures included."""

_AGAIN = "Open it in Word or LibreOffice and save it again, or get the file again from its source."
_COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_TEXTS = (f"{W}t", "{http://schemas.openxmlformats.org/officeDocument/2006/math}t")
_MARKS = {f"{W}tab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}
_FALLBACK = f"{_COMPATIBILITY}Fallback"  # the same content once more, for old programs
_TEXT_BOX = f"{W}txbxContent"
_UNREAD = frozenset(
    [*(f"{W}{name}" for name in ("pPr", "rPr", "del", "moveFrom", "rt")), _TEXT_BOX, _FALLBACK]
)
_LINE_OF_BLOCK = re.compile(r"[-|] |\d+[.)] ")


class _Block(NamedTuple):
    """A paragraph, list item or table row; ``level`` is 0 for what is no heading."""

    text: str
    level: int = 0


def read(name: str, data: bytes) -> ExtractedText:
    """The text of a Word document, with its headings.

    Blank lines part paragraphs; list items and table rows (``| a | b |``) are lines; notes follow at the end.
    Raises DamagedDocument, ProtectedDocument (a password) and UnsupportedFormat (Strict Open XML).
    """
    _check(name, data)
    import docx

    try:
        blocks = list(_Document(docx.Document(io.BytesIO(data)).part).blocks())
    except Exception as error:  # what is damaged comes out of three libraries as any of a dozen exceptions
        raise DamagedDocument(f"{name} is damaged: its contents cannot be read.", _AGAIN) from error
    return _joined(blocks)


def _check(name: str, data: bytes) -> None:
    """Raises a DocumentError for what is no sound archive of a Word document."""
    kind = kind_of(data)
    if kind is LOCKED_OFFICE:
        raise ProtectedDocument(f"{name} is protected by a password.", "Save a copy without the password.")
    if kind and kind.suffix not in (".docx", ".zip"):
        raise misnamed(name, kind)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            xml = sum(entry.file_size for entry in entries if entry.filename.endswith((".xml", ".rels")))
            bomb = xml > MAX_XML or sum(entry.file_size for entry in entries) > MAX_UNPACKED
            # Sizes can lie: testzip unpacks piece by piece and stops at what each entry claims.
            broken = not bomb and archive.testzip() is not None
            relations = b"" if bomb or broken else archive.read("_rels/.rels")
    except Exception as error:  # zipfile, zlib, lzma, struct, RuntimeError for encryption, ...
        raise DamagedDocument(f"{name} is damaged: it is cut off or no Word document.", _AGAIN) from error
    if bomb:
        raise DamagedDocument(
            f"{name} would unpack to more than {MAX_XML // 1024**2} MB of text.",
            "Split it into smaller documents.",
        )
    if broken:
        raise DamagedDocument(f"{name} is damaged: parts of it have changed since it was saved.", _AGAIN)
    if b"purl.oclc.org/ooxml" in relations:
        raise UnsupportedFormat(
            f"{name} is saved as Strict Open XML.", "In Word, save it as a plain Word document (.docx)."
        )


def _joined(blocks: list[_Block]) -> ExtractedText:
    parts: list[str] = []
    headings: list[Heading] = []
    length = 0
    lines_before = False
    for block in blocks:
        lines = _LINE_OF_BLOCK.match(block.text) is not None and not block.level
        gap = ("\n" if lines and lines_before else "\n\n") if parts else ""
        if block.level:
            headings.append(Heading(length + len(gap), block.level, block.text))
        parts += (gap, block.text)
        length += len(gap) + len(block.text)
        lines_before = lines
    return ExtractedText("".join(parts), headings=tuple(headings))


class _Document:
    def __init__(self, part: Any) -> None:
        self._body = part.element.body
        self._parts = {
            relation.reltype.rsplit("/", 1)[-1]: relation.target_part
            for relation in part.rels.values()
            if not relation.is_external
        }
        self._styles = Styles(self._root("styles"))
        self._numbering = Numbering(self._root("numbering"))

    def blocks(self) -> Iterator[_Block]:
        yield from self._within(self._body)
        for notes in ("footnotes", "endnotes"):
            for note in self._root(notes).iter(f"{W}footnote", f"{W}endnote"):
                if note.get(f"{W}type", "normal") == "normal":  # the others are the rules above the notes
                    yield from self._within(note)

    def _root(self, name: str) -> Any:
        """The root element of a part; an empty one where the document has no such part."""
        from docx.oxml.parser import parse_xml

        return parse_xml(self._parts[name].blob if name in self._parts else "<none/>")

    def _within(self, container: Any) -> Iterator[_Block]:
        for child in container:
            if child.tag == f"{W}p":
                yield from self._paragraph(child)
            elif child.tag == f"{W}tr":
                yield from self._row(child)
            elif child.tag not in _UNREAD:
                yield from self._within(child)

    def _paragraph(self, element: Any) -> Iterator[_Block]:
        text = re.sub(r"[^\S\n]+", " ", "".join(_inline(element))).strip()
        style = self._styles.of(element.find(f"{W}pPr"))
        label = self._numbering.label(style.list_id, style.depth)
        if text and style.level:
            yield _Block(fold(f"{label} {text}"), style.level)
        elif text:
            yield _Block(f"{label} {text}" if label else text)
        for box in element.iter(_TEXT_BOX):
            if next(box.iterancestors(_FALLBACK), None) is None:
                yield from self._within(box)

    def _row(self, row: Any) -> Iterator[_Block]:
        cells = [cell for cell in row.iter(f"{W}tc") if next(cell.iterancestors(f"{W}tr")) is row]
        if len(cells) == 1:  # a frame around text rather than a table
            yield from self._within(cells[0])
            return
        texts = ["" if _continues(cell) else self._cell(cell) for cell in cells]
        if any(texts):
            yield _Block(f"| {' | '.join(texts)} |")

    def _cell(self, cell: Any) -> str:
        return fold(" ".join(block.text for block in self._within(cell)))


def _continues(cell: Any) -> bool:
    """Whether ``cell`` is a lower part of one that spans several rows."""
    merge = cell.find(f"{W}tcPr/{W}vMerge")
    return merge is not None and merge.get(f"{W}val", "continue") == "continue"


def _inline(element: Any) -> Iterator[str]:
    for child in element:
        if child.tag in _TEXTS:
            yield child.text or ""
        elif child.tag in _MARKS:
            yield _MARKS[child.tag]
        elif child.tag not in _UNREAD:
            yield from _inline(child)
