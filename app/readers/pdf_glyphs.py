"""From PDFium's glyphs to the printed lines of a page, turned upright."""

from __future__ import annotations

import ctypes
import math
import unicodedata
from collections.abc import Iterator
from typing import Any

from app.readers.pdf_layout import INSERTED, Line

_HYPHEN = 0x02  # what PDFium gives for a hyphen that divides a word, in place of hyphen and line break


def page_lines(textpage: Any) -> list[Line]:
    """The lines of ``textpage`` (an open pypdfium2 ``PdfTextPage``) that are not blank, in reading order."""
    lines = (_measured(textpage, *run) for run in _runs(textpage))
    return [line for line in lines if line]


def _runs(textpage: Any) -> Iterator[tuple[list[str], list[int], int]]:
    """The characters of each line with their glyph indices, and the index of a dividing hyphen."""
    from pypdfium2 import raw

    text: list[str] = []
    origins: list[int] = []
    for index in range(textpage.count_chars()):
        code = raw.FPDFText_GetUnicode(textpage, index)
        if code in (0x0A, 0x0D, _HYPHEN):
            yield text, origins, index if code == _HYPHEN else INSERTED
            text, origins = [], []
            continue
        for char in _printed(code):
            if char != " " or (text and text[-1] != " "):
                text.append(char)
                origins.append(index)
    yield text, origins, INSERTED


def _printed(code: int) -> str:
    """The character as text has it: no controls, one kind of blank, no ligatures, no radicals."""
    if code < 0x20:
        return " " if code == 0x09 else ""
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF or code & 0xFFFE == 0xFFFE or code == 0xAD:
        return ""
    char = chr(code)
    if char.isspace():
        return " "
    if 0x2E80 <= code <= 0x2FDF or 0xF900 <= code <= 0xFAFF or 0xFB00 <= code <= 0xFB06:
        return unicodedata.normalize("NFKC", char)
    return char


def _measured(textpage: Any, text: list[str], origins: list[int], hyphen: int) -> Line | None:
    from pypdfium2 import raw

    if text and text[-1] == " ":
        del text[-1], origins[-1]
    if not text:
        return None
    first, last = origins[0], origins[-1]
    x, y = ctypes.c_double(), ctypes.c_double()
    raw.FPDFText_GetCharOrigin(textpage, first, x, y)
    matrix = raw.FS_MATRIX()
    raw.FPDFText_GetMatrix(textpage, first, matrix)
    size = raw.FPDFText_GetFontSize(textpage, first) * math.hypot(matrix.c, matrix.d)
    angle = math.atan2(matrix.b, matrix.a)
    left, base = _upright(x.value, y.value, angle)
    box_left, bottom, box_right, top = textpage.get_charbox(last, loose=True)
    right = max(_upright(x, y, angle)[0] for x in (box_left, box_right) for y in (bottom, top))
    return Line("".join(text), origins, left, right, base, size or 1.0, hyphen)


def _upright(x: float, y: float, angle: float) -> tuple[float, float]:
    """The point as it lies once text that runs at ``angle`` (radians) is turned to run to the right."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return x * cosine + y * sine, y * cosine - x * sine
