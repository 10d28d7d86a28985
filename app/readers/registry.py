"""Which reader reads which file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path, PurePath
from typing import cast

from app.errors import EmptyDocument, UnsupportedFormat
from app.readers.files import check_size, find, load, shown
from app.schema import ExtractedText

# "module:function" of this package; imported on first use, because the libraries behind them are heavy.
_READERS = {
    **dict.fromkeys((".txt", ".text", ".log", ".rst", ".csv", ".tsv"), "text:read_plain"),
    **dict.fromkeys((".md", ".markdown"), "text:read_markdown"),
    **dict.fromkeys((".html", ".htm"), "web:read"),
    ".pdf": "pdf:read",
    ".docx": "office:read",
}
SUFFIXES: frozenset[str] = frozenset(_READERS)
"""Suffixes that have a reader, lower-case, with their dot."""

# What Office and macOS leave beside a document carries its suffix, but is none.
_COMPANIONS = ("~$", "._")


def is_supported(path: str | PurePath) -> bool:
    """Whether a file of this name has a reader; the file itself is not looked at."""
    name = PurePath(path)
    return name.suffix.lower() in _READERS and not name.name.startswith(_COMPANIONS)


def read(path: Path) -> ExtractedText:
    """The text of the file at ``path``.

    Raises a :class:`~app.errors.DocumentError`: DocumentMissing, UnsupportedFormat, EmptyDocument,
    DamagedDocument or ProtectedDocument.
    """
    found = find(path)
    _require_reader(found.name)
    return _extract(found.name, load(found))


def read_bytes(name: str, data: bytes) -> ExtractedText:
    """The same for a file in memory: ``name`` chooses the reader and appears in the errors."""
    _require_reader(name)
    check_size(name, len(data))
    return _extract(name, data)


def _require_reader(name: str) -> None:
    if not is_supported(name):
        if name.startswith(_COMPANIONS):
            raise UnsupportedFormat(
                f"{shown(name)} is a helper file that Office or macOS keeps beside a document.",
                "Choose the document itself.",
            )
        kinds = " ".join(sorted(SUFFIXES))
        raise UnsupportedFormat(
            f"{shown(name)} is of a kind that cannot be read.", f"Use one of these kinds: {kinds}"
        )


def _extract(name: str, data: bytes) -> ExtractedText:
    module, function = _READERS[PurePath(name).suffix.lower()].split(":")
    reader = getattr(import_module(f"app.readers.{module}"), function)
    extracted = cast(ExtractedText, reader(shown(name), data)) if data else ExtractedText("")
    if not extracted.text.strip():
        raise EmptyDocument(f"{shown(name)} holds no text.", "Check that this is the right file.")
    return extracted
