"""Reaching a file: it exists, is an ordinary file, may be opened, and is not too large."""

from __future__ import annotations

import stat
from pathlib import Path, PurePath

from app.errors import DamagedDocument, DocumentError, DocumentMissing, ProtectedDocument, UnsupportedFormat

MAX_BYTES = 200 * 1024 * 1024
"""The largest file that is read, in bytes: it is held in memory several times over while it is read."""


def shown(path: str | PurePath) -> str:
    """The file's name as messages print it, also where the file system holds bytes that are no text."""
    name = PurePath(path).name or str(path)
    return name.encode("utf-8", "replace").decode("utf-8")


def find(path: Path) -> Path:
    """``path``, if it is an ordinary file, not too large. It is not opened: a pipe would block."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unreachable(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise UnsupportedFormat(f"{shown(path)} is a folder.", "Name the files in it, or ingest the folder.")
    if not stat.S_ISREG(status.st_mode):
        raise UnsupportedFormat(
            f"{shown(path)} is a pipe, socket or device.",
            "Only ordinary files can be read; save it as one first.",
        )
    check_size(path, status.st_size)
    return path


def check_size(name: str | PurePath, size: int) -> None:
    """Raises UnsupportedFormat when ``size`` (bytes) is above :data:`MAX_BYTES`."""
    if size > MAX_BYTES:
        raise UnsupportedFormat(
            f"{shown(name)} is larger than {MAX_BYTES // 1024**2} MB, the most that is read.",
            "Split it into smaller files.",
        )


def load(path: Path) -> bytes:
    """The bytes of the file at ``path``."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)  # it may have grown since its size was looked at
    except OSError as error:
        raise _unreachable(path, error) from error
    check_size(path, len(data))
    return data


def _unreachable(path: Path, error: OSError | ValueError) -> DocumentError:
    name = shown(path)
    if isinstance(error, PermissionError):
        return ProtectedDocument(f"{name} may not be opened: permission denied.", "Change its permissions.")
    if isinstance(error, FileNotFoundError | NotADirectoryError | ValueError):
        return DocumentMissing(f"{name} does not exist.", "Check the path.")
    return DamagedDocument(f"{name} could not be read: {error.strerror}.", "Check the disk and the path.")
