"""From a file to its text, with offsets: :func:`read` for paths, :func:`read_bytes` for uploads.

A file's suffix chooses its reader, one file per family: text, web, pdf, office. Every problem with a file
is a :class:`~app.errors.DocumentError` that names the file, what is wrong and what to do.
"""

from __future__ import annotations

from app.readers.registry import SUFFIXES, is_supported, read, read_bytes

__all__ = ["SUFFIXES", "is_supported", "read", "read_bytes"]
