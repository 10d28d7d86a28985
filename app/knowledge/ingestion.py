"""Files and folders into a collection: only what is new or changed is read, what is gone from a folder goes.

A file that cannot be read is reported with its reason and the rest go in; its earlier version, if there is one,
goes on answering.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import DocumentError, DocumentMissing, UnsupportedFormat
from app.knowledge.catalog import SourceFile
from app.knowledge.chunker import chunk
from app.knowledge.collection import Collection
from app.readers import read
from app.schema import Failure, IngestReport, OnProgress, Progress

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoundFile:
    """A file to ingest; ``doc`` is its name in citations."""

    path: Path
    doc: str
    root: Path

    @property
    def source(self) -> str:
        """The file's absolute path as the catalog keeps it."""
        return _printable(str(self.path))


def ingest(
    collection: Collection,
    paths: Sequence[Path],
    *,
    on_progress: OnProgress = lambda progress: None,
    skip: Path | None = None,
) -> IngestReport:
    """Bring ``collection`` up to date with files and folders; ``skip`` is a folder that is never entered.

    Raises:
        DocumentMissing: one of ``paths`` does not exist; nothing was changed.
        EmbedderMismatch: the collection was built by another embedding model; nothing was changed.
    """
    began = time.monotonic()
    report = IngestReport()
    found = _discover(paths, skip, report)
    collection.check_embedder()
    gone = _gone(collection, paths, found, report)
    if gone:
        collection.remove(gone)
        report.removed = len(gone)
    for index, file in enumerate(found):
        on_progress(Progress("reading", index, len(found), file.doc))
        try:
            _ingest_one(collection, file, found, report, index, on_progress)
        except DocumentError as error:
            report.failed.append(Failure(file.source, error.message, error.hint))
        except OSError as error:
            report.failed.append(
                Failure(
                    file.source,
                    f"{file.path.name} cannot be read: {error.strerror or error}.",
                    "Check the file and its permissions.",
                )
            )
    on_progress(Progress("done", len(found), len(found)))
    report.seconds = round(time.monotonic() - began, 3)
    return report


def _ingest_one(
    collection: Collection,
    file: FoundFile,
    found: Sequence[FoundFile],
    report: IngestReport,
    index: int,
    on_progress: OnProgress,
) -> None:
    known = collection.catalog.sources(collection.row.id)
    before = known.get(file.source)
    status = file.path.stat() if file.path.is_file() else None
    stamp = f"{status.st_mtime_ns}:{status.st_ctime_ns}" if status else ""
    if before and status and (before.size, before.stamp) == (status.st_size, stamp):
        report.unchanged += 1
        return
    if status is None:
        raise UnsupportedFormat(f"{file.path.name} is not a regular file.", "Ingest files and folders only.")
    digest = _sha256(file.path)
    if before and before.sha256 == digest:
        collection.catalog.touch(before.document_id, status.st_size, stamp)
        report.unchanged += 1
        return
    twin = next((other for other in known.values() if other.sha256 == digest), None)
    if twin and not before:
        log.info("%s has the same content as %s and is not stored twice", file.doc, twin.doc)
        report.unchanged += 1
        return
    content = read(file.path)
    spans = chunk(content)
    doc = before.doc if before else _free_name(file, {other.doc for other in known.values()})
    entry = SourceFile(0, doc, file.source, digest, status.st_size, stamp)
    collection.put(
        entry, content, spans,
        replaces=before.document_id if before else None,
        on_chunks=lambda done: on_progress(Progress("embedding", index, len(found), file.doc, f"{done}/{len(spans)}")),
    )  # fmt: skip
    report.chunks += len(spans)
    if before:
        report.updated += 1
    else:
        report.added += 1


def _discover(paths: Sequence[Path], skip: Path | None, report: IngestReport) -> list[FoundFile]:
    found: dict[Path, FoundFile] = {}
    for given in paths:
        path = Path(os.path.abspath(given.expanduser()))
        if path.is_dir():
            for file in _walk(path, skip, report):
                found.setdefault(file, FoundFile(file, _printable(file.relative_to(path).as_posix()), path))
        elif path.exists():
            found.setdefault(path, FoundFile(path, _printable(path.name), path.parent))
        else:
            raise DocumentMissing(f"There is no file or folder {given}.", "Check the path; nothing was changed.")
    return list(found.values())


def _walk(folder: Path, skip: Path | None, report: IngestReport) -> Iterator[Path]:
    def failed(error: OSError) -> None:
        reason = f"The folder {error.filename} cannot be read: {error.strerror}."
        report.failed.append(Failure(str(error.filename), reason, "Check the folder's permissions."))

    for parent, folders, files in os.walk(folder, onerror=failed):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and Path(parent, name) != skip)
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))


def _gone(collection: Collection, paths: Iterable[Path], found: Sequence[FoundFile], report: IngestReport) -> list[int]:
    """Documents whose file was below one of the folders and is there no more; unreadable folders lose nothing."""
    folders = [os.path.abspath(path.expanduser()) for path in paths if path.expanduser().is_dir()]
    unreadable = [failure.path for failure in report.failed]
    present = {file.source for file in found}
    return [
        known.document_id
        for source, known in collection.catalog.sources(collection.row.id).items()
        if source not in present
        and any(_below(source, folder) for folder in folders)
        and not any(_below(source, folder) for folder in unreadable)
    ]


def _below(source: str, folder: str) -> bool:
    return source.startswith(_printable(folder).rstrip("/\\") + os.sep)


def _free_name(file: FoundFile, taken: set[str]) -> str:
    """The document's name; where another folder's document has it, the folder's name goes before it."""
    names = [file.doc, f"{file.root.name}/{file.doc}", file.source]
    return next((name for name in names if name not in taken), file.source)


def _printable(path: str) -> str:
    """A path as text that any store and any JSON takes, whatever bytes the file system holds."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
