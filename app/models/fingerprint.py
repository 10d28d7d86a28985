"""Telling the weights of two models apart without reading all of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from app.models.folder import unreadable
from app.models.weights import weight_files

_BLOCK = 64 * 1024  # bytes
_BLOCKS = 256
"""Of a file; smaller ones are read whole."""


def fingerprint(folder: Path) -> str:
    """The same text for the same weight files; of a large file 16 MiB in 256 places are looked at, spread evenly.

    The sizes and, at the beginning of each file, the names, shapes and types of the tensors are part of it. So it
    tells other weights apart even where few layers differ, but proves nothing about every single number. The same
    numbers in other files, such as more shards, have another fingerprint.

    Raises:
        ModelDamaged: there are no weights, or a file cannot be read.
    """
    found = hashlib.sha256()
    for path in weight_files(folder):
        try:
            size = path.stat().st_size
            found.update(size.to_bytes(8, "little"))
            with path.open("rb") as file:
                for place in _places(size):
                    file.seek(place)
                    found.update(file.read(_BLOCK))
        except OSError as error:
            raise unreadable(path, error) from None
    return found.hexdigest()[:16]


def _places(size: int) -> range | list[int]:
    """Where the blocks begin: all of them, or from the first to the last."""
    if size <= _BLOCKS * _BLOCK:
        return range(0, size, _BLOCK)
    return [round(number * (size - _BLOCK) / (_BLOCKS - 1)) for number in range(_BLOCKS)]
