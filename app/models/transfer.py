"""One file from a source to this disk: begun where an earlier try ended, verified, then put in its place."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from app.errors import ChecksumMismatch, SourceUnavailable
from app.models.shelf import unwritable
from app.models.sources.base import PIECE, Interrupted, Listing, RemoteFile, Source

T = TypeVar("T")
_TRIES = 6  # in a row without a byte that is new
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds
_LONGEST_WAIT = 120.0  # seconds; a source that asks for more is left alone


class Stopped(Exception):
    """The transfer was asked to end; what came is kept."""


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class Transfer:
    """Files of one model. ``on_bytes`` hears of every byte that came, less those that were thrown away."""

    def __init__(self, source: Source, listing: Listing, on_bytes: Callable[[int], None]) -> None:
        self._source = source
        self._listing = listing
        self._on_bytes = on_bytes
        self._stop = threading.Event()

    def stop(self) -> None:
        """Have every :meth:`fetch` end with Stopped, soon."""
        self._stop.set()

    def fetch(self, file: RemoteFile, part: Path, place: Path) -> str:
        """Bring ``file`` to ``place``, by way of ``part``; the SHA-256 of what is there.

        Raises:
            Stopped: as asked.
            DownloadError: it did not come whole; ``part`` keeps what did.
        """
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            place.parent.mkdir(parents=True, exist_ok=True)
            sha256 = self._verified(file, part)
            os.replace(part, place)
        except OSError as error:
            raise unwritable(place.parent, error) from None
        return sha256

    def _verified(self, file: RemoteFile, part: Path) -> str:
        for _ in range(2):  # a part that another state of the source left is found wrong only now
            held = self._whole(file, part)
            sha256 = checksum_of(part, file)
            if sha256 is not None:
                return sha256
            part.unlink()
            self._on_bytes(-held)
        raise ChecksumMismatch(
            f"{file.path} of {self._listing.name} came from {self._source.label} with other bytes than it should have,"
            " twice.",
            "Take another --source, or run the command again later; the files that came whole are kept.",
        )

    def _whole(self, file: RemoteFile, part: Path) -> int:
        """Fill ``part`` to the file's size, in as many tries as it takes; how many bytes it has."""

        def attempt() -> int:
            before = _size(part)
            try:
                return self._append(file, part)
            except Interrupted as broken:
                broken.progress = _size(part) > before
                raise

        return patiently(attempt, _TRIES, self._pause)

    def _append(self, file: RemoteFile, part: Path) -> int:
        begin = _size(part)
        if file.size is not None and begin >= file.size and part.exists():
            if begin > file.size:
                os.truncate(part, 0)
                self._on_bytes(-begin)
                begin = 0
            if begin == file.size:
                return begin
        start = 0 if file.size is None else begin  # of unknown length, the part may be whole already
        with self._source.open(self._listing, file, start) as body, open(part, "ab") as out:
            if body.start != begin:
                self._on_bytes(-begin)
                out.truncate(0)
            size = body.start
            for piece in body.pieces:
                if self._stop.is_set():
                    raise Stopped
                out.write(piece)
                out.flush()  # what a kill leaves behind need not come again
                size += len(piece)
                self._on_bytes(len(piece))
            os.fsync(out.fileno())
        if file.size is not None and size < file.size:
            raise Interrupted(SourceUnavailable(*_cut_off(file, self._source.label)))
        return size

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped


def patiently(attempt: Callable[[], T], tries: int, pause: Callable[[float], object]) -> T:
    """What ``attempt()`` gives; tried again when it is interrupted, ``tries`` times in a row without progress.

    Raises:
        DownloadError: the last interruption's, or one that asks for too long a wait.
    """
    failed = 0
    while True:
        try:
            return attempt()
        except Interrupted as broken:
            failed = 1 if broken.progress else failed + 1
            if failed >= tries or broken.wait > _LONGEST_WAIT:
                raise broken.error from None
            backoff = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (failed - 1)) * random.uniform(0.5, 1.0)
            pause(max(broken.wait, backoff))


def checksum_of(path: Path, file: RemoteFile) -> str | None:
    """The SHA-256 of what lies at ``path``, None where it is not what ``file`` should be. Raises OSError."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return None
    sha256 = hashlib.sha256()
    kind, _, wanted = file.checksum.partition(":")
    blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)  # as git names it
    hashes: list[_Hash] = [sha256, blob] if kind == "git" else [sha256]
    with open(path, "rb") as content:
        while piece := content.read(4 * PIECE):
            for item in hashes:
                item.update(piece)
    found = {"git": blob.hexdigest(), "sha256": sha256.hexdigest()}.get(kind)
    return sha256.hexdigest() if found in (None, wanted) else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _cut_off(file: RemoteFile, label: str) -> tuple[str, str]:
    return f"{label} sends no more than a part of {file.path}.", "Run the command again; what came is kept."
