"""What a file really is, by its first bytes, for when its name lies."""

from __future__ import annotations

from typing import NamedTuple

from app.errors import DamagedDocument


class Kind(NamedTuple):
    """``title`` as a sentence says it; ``suffix`` that such a file should have."""

    title: str
    suffix: str


_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # holds old Office files, and new ones that have a password

LOCKED_OFFICE = Kind("an Office document with a password", "")

# Only openings that no text has; UTF-16 text is told apart by its NULs.
_OPENINGS = (
    (b"%PDF-", Kind("a PDF document", ".pdf")),
    (b"{\\rtf", Kind("an RTF document", ".rtf")),
    (b"\x89PNG\r\n\x1a\n", Kind("a PNG image", ".png")),
    (b"\xff\xd8\xff", Kind("a JPEG image", ".jpg")),
    (b"GIF87a", Kind("a GIF image", ".gif")),
    (b"GIF89a", Kind("a GIF image", ".gif")),
    (b"II*\x00", Kind("a TIFF image", ".tif")),
    (b"MM\x00*", Kind("a TIFF image", ".tif")),
    (b"\x1f\x8b\x08", Kind("a gzip archive", ".gz")),
    (b"BZh91AY&SY", Kind("a bzip2 archive", ".bz2")),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7-Zip archive", ".7z")),
    (b"Rar!\x1a\x07", Kind("a RAR archive", ".rar")),
    (b"\xfd7zXZ\x00", Kind("an xz archive", ".xz")),
    (b"\x28\xb5\x2f\xfd", Kind("a Zstandard archive", ".zst")),
    (b"\x7fELF", Kind("a Linux program", "")),
    (b"MZ\x90\x00", Kind("a Windows program", ".exe")),
    (b"SQLite format 3\x00", Kind("an SQLite database", ".sqlite3")),
    (b"OggS\x00", Kind("an Ogg recording", ".ogg")),
    (b"ID3\x03", Kind("an MP3 recording", ".mp3")),
    (b"ID3\x04", Kind("an MP3 recording", ".mp3")),
    (b"\x1aE\xdf\xa3", Kind("a Matroska or WebM video", ".mkv")),
    (b"PK\x05\x06", Kind("an empty ZIP archive", ".zip")),
)
_INSIDE_ZIP = (
    (b"word/document", Kind("a Word document", ".docx")),
    (b"xl/workbook", Kind("an Excel workbook", ".xlsx")),
    (b"ppt/presentation", Kind("a PowerPoint presentation", ".pptx")),
    (b"mimetypeapplication/vnd.oasis.opendocument", Kind("an OpenDocument file", ".odt")),
    (b"mimetypeapplication/epub+zip", Kind("an EPUB book", ".epub")),
)
_INSIDE_OLE = (
    ("EncryptedPackage", LOCKED_OFFICE),
    ("WordDocument", Kind("an old Word document", ".doc")),
    ("Workbook", Kind("an old Excel workbook", ".xls")),
    ("PowerPoint Document", Kind("an old PowerPoint presentation", ".ppt")),
)
_INSIDE_RIFF = {b"WEBP": Kind("a WebP image", ".webp"), b"WAVE": Kind("a WAV recording", ".wav")}


def kind_of(data: bytes) -> Kind | None:
    """What ``data`` is, if its opening tells: a binary format, PDF, RTF or HTML. Plain text is ``None``."""
    if data.startswith(b"PK\x03\x04"):
        return next((kind for mark, kind in _INSIDE_ZIP if mark in data), Kind("a ZIP archive", ".zip"))
    if data.startswith(_OLE):
        held = (kind for mark, kind in _INSIDE_OLE if mark.encode("utf-16-le") in data)
        return next(held, Kind("an old Office document", ""))
    if data.startswith(b"RIFF"):
        return _INSIDE_RIFF.get(data[8:12])
    if data.startswith(b"\0\0\0") and data[4:8] == b"ftyp":
        return Kind("an MP4 video", ".mp4")
    if data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")):
        return Kind("an HTML page", ".html")
    return next((kind for opening, kind in _OPENINGS if data.startswith(opening)), None)


def misnamed(name: str, kind: Kind) -> DamagedDocument:
    """The error for a file ``name`` that is really of another ``kind``."""
    hint = (
        f"Rename it to end in {kind.suffix}, or choose the right file."
        if kind.suffix
        else "Choose the right file."
    )
    return DamagedDocument(f"{name} is not what its name says: it is {kind.title}.", hint)
