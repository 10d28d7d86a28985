"""PDF: text page by page, headings, and pictures of pages with the places of words on them.

PDFium does the work. It bears one thread at a time: all calls are made under one lock, which is held for a
page at most, so that a page can be shown while a long document is being read.
"""

from __future__ import annotations

import ctypes
import io
import math
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from app.errors import DamagedDocument, DocumentError, DocumentMissing, EmptyDocument, ProtectedDocument
from app.readers.files import find, load, shown
from app.readers.kinds import kind_of, misnamed
from app.readers.pdf_glyphs import page_lines
from app.readers.pdf_headings import from_outline, from_sizes
from app.readers.pdf_layout import INSERTED, PARAGRAPH_BREAK, PageText, lay_out
from app.schema import ExtractedText, Page

SCALE = 1.5
"""Pixels per point of a page's picture unless told otherwise: 108 dots per inch."""
MAX_PIXELS = 40_000_000
"""A picture that would be larger is made at a smaller scale."""

_AGAIN = "Get the file again from its source."
_LOCK = threading.RLock()
_MARK_WITHIN = 1024  # bytes from either end in which PDF readers look for "%PDF-" and "%%EOF"


class Box(NamedTuple):
    """A rectangle in the pixels of a page's picture, from its top left corner."""

    left: int
    top: int
    right: int
    bottom: int


def read(name: str, data: bytes) -> ExtractedText:
    """The text of a PDF: paragraphs parted by blank lines, and pages too.

    Raises DamagedDocument, ProtectedDocument (a password) and EmptyDocument (a scan without text).
    """
    layouts: list[tuple[int, PageText]] = []
    pages: list[Page] = []
    start = 0
    with _opened(name, data) as pdf:
        for index in range(len(pdf)):
            with _page(name, pdf, index) as page:
                layout = _layout(page)
            layouts.append((start, layout))
            pages.append(Page(index + 1, start, start + len(layout.text)))
            start += len(layout.text) + len(PARAGRAPH_BREAK)
        text = PARAGRAPH_BREAK.join(layout.text for _, layout in layouts)
        if not text.strip():
            raise EmptyDocument(
                f"{name} holds no text: its {len(pages)} page(s) are pictures, as a scanner makes them.",
                "Run it through OCR (text recognition) first, for example with ocrmypdf.",
            )
        with _LOCK:
            headings = from_outline(pdf, text, pages)
    return ExtractedText(text, tuple(pages), headings or from_sizes(layouts))


def page_image(source: Path | bytes, page_number: int, scale: float = SCALE) -> bytes:
    """A PNG picture of page ``page_number`` (from 1) at ``scale`` pixels per point.

    Raises the errors of :func:`read`, and DocumentMissing where there is no such page.
    """
    with _chosen(source, page_number) as page:
        picture = page.render(scale=_fitting(page, scale)).to_pil()
    png = io.BytesIO()
    picture.save(png, "PNG")
    return png.getvalue()


def word_boxes(
    source: Path | bytes, page_number: int, start: int, end: int, scale: float = SCALE
) -> list[Box]:
    """Where the characters ``[start, end)`` of the page's extracted text lie on its :func:`page_image`.

    Offsets count from the start of the page: of a document's offset, take off the ``start`` of its ``Page``.
    One box for each printed line. Raises what :func:`page_image` raises.
    """
    with _chosen(source, page_number) as page:
        textpage = page.get_textpage()
        try:
            glyphs = lay_out(page_lines(textpage)).origins[max(0, start) : max(0, end)]
            corners = [textpage.get_charbox(glyph, loose=True) for glyph in glyphs if glyph != INSERTED]
            return _per_line(_pixels(page, box, _fitting(page, scale)) for box in corners)
        finally:
            textpage.close()


@contextmanager
def _chosen(source: Path | bytes, page_number: int) -> Iterator[Any]:
    name, data = ("The PDF", source) if isinstance(source, bytes) else (shown(source), load(find(source)))
    with _opened(name, data) as pdf:
        if not 1 <= page_number <= len(pdf):
            raise DocumentMissing(f"{name} has no page {page_number}.", f"Its pages are 1 to {len(pdf)}.")
        with _page(name, pdf, page_number - 1) as page:
            yield page


@contextmanager
def _opened(name: str, data: bytes) -> Iterator[Any]:
    _check_ends(name, data)
    with _LOCK:
        import pypdfium2

        try:
            pdf = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            raise _unopened(name, error.err_code) from error
    try:
        yield pdf
    finally:
        with _LOCK:
            pdf.close()


def _check_ends(name: str, data: bytes) -> None:
    if b"%PDF-" not in data[:_MARK_WITHIN]:
        kind = kind_of(data)
        raise (
            misnamed(name, kind)
            if kind
            else DamagedDocument(f"{name} is not a PDF, or its beginning is damaged.", _AGAIN)
        )
    # PDFium repairs what it can; without this check a broken download would lose its last pages silently.
    if b"%%EOF" not in data.rstrip(b"\0\r\n\t ")[-_MARK_WITHIN:]:
        raise DamagedDocument(f"{name} is cut off: the end of the PDF is missing.", _AGAIN)


def _unopened(name: str, code: int | None) -> DocumentError:
    from pypdfium2 import raw

    if code == raw.FPDF_ERR_PASSWORD:
        return ProtectedDocument(f"{name} is protected by a password.", "Save a copy without the password.")
    if code == raw.FPDF_ERR_SECURITY:
        return ProtectedDocument(f"{name} is encrypted in an unknown way.", "Save a copy without encryption.")
    return DamagedDocument(f"{name} is damaged: it cannot be opened as a PDF.", _AGAIN)


@contextmanager
def _page(name: str, pdf: Any, index: int) -> Iterator[Any]:
    """The page at ``index``, open and under the lock."""
    with _LOCK:
        import pypdfium2

        try:
            page = pdf[index]
        except pypdfium2.PdfiumError as error:
            raise DamagedDocument(
                f"{name} is damaged: its page {index + 1} cannot be read.", _AGAIN
            ) from error
        try:
            yield page
        finally:
            page.close()


def _layout(page: Any) -> PageText:
    textpage = page.get_textpage()
    try:
        return lay_out(page_lines(textpage))
    finally:
        textpage.close()


def _fitting(page: Any, scale: float) -> float:
    width, height = page.get_size()
    return min(scale, math.sqrt(MAX_PIXELS / max(1.0, width * height)))


def _pixels(page: Any, corners: tuple[float, float, float, float], scale: float) -> Box:
    """``corners`` (left, bottom, right, top; points on the unturned page) on the page's picture."""
    from pypdfium2 import raw

    width, height = (math.ceil(side * scale) for side in page.get_size())
    left, bottom, right, top = corners
    xs, ys = [], []
    for x, y in ((left, bottom), (right, top)):
        column, row = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, column, row)
        xs.append(column.value)
        ys.append(row.value)
    # A pixel more on each side: corners are rounded to whole pixels, and the edges of glyphs are soft.
    return Box(max(0, min(xs) - 1), max(0, min(ys) - 1), max(xs) + 1, max(ys) + 1)


def _per_line(boxes: Iterable[Box]) -> list[Box]:
    """Neighbours on one line made one box."""
    merged: list[Box] = []
    for box in boxes:
        last = merged[-1] if merged else box
        shared = min(last.bottom, box.bottom) - max(last.top, box.top)
        if merged and 2 * shared > min(last.bottom - last.top, box.bottom - box.top):
            lefts, tops, rights, bottoms = zip(last, box, strict=True)
            merged[-1] = Box(min(lefts), min(tops), max(rights), max(bottoms))
        else:
            merged.append(box)
    return merged
