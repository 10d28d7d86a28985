"""Word documents for the tests, with what python-docx cannot write put in as XML."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import docx
from docx.document import Document
from docx.oxml import parse_xml

NAMESPACES = (
    ' xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
)


def word(fill: Callable[[Document], object]) -> bytes:
    """The file of a new document after ``fill`` wrote in it."""
    document = docx.Document()
    fill(document)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def body(*elements: str) -> bytes:
    """The file of a document with these elements (XML, prefixes w, mc, m) in its body."""

    def fill(document: Document) -> None:
        for element in elements:
            opening, _, rest = element.partition(">")
            slash = "/" if opening.endswith("/") else ""
            xml = f"{opening.removesuffix('/')}{NAMESPACES}{slash}>{rest}"
            document.element.body.insert(len(document.element.body) - 1, parse_xml(xml))

    return word(fill)


def replaced(data: bytes, name: str, content: bytes | None) -> bytes:
    """The archive ``data`` with its entry ``name`` replaced, or without it."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            if entry.filename != name:
                new.writestr(entry, old.read(entry))
        if content is not None:
            new.writestr(name, content)
    return file.getvalue()
