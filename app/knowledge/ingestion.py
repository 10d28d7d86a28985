"""Files and folders into a collection: only what is new or changed is read, what is gone from a folder goes.

A file that cannot be read is reported with its reason and the rest go in; its earlier version, if there is one,
goes on answering.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from app.errors import DamagedDocument, DocumentError, DocumentMissing, UnsupportedFormat, VectorsUnavailable
from app.knowledge.collection import Collection
from app.knowledge.records import SourceFile
from app.readers import read
from app.schema import ExtractedText, Failure, IngestReport, OnProgress, Progress

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
        return printable(str(self.path))


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
    known = collection.catalog.sources(collection.row.id)
    down: VectorsUnavailable | None = None
    for index, file in enumerate(found):
        tell = partial(_tell, on_progress, index, len(found), file.doc)
        tell("reading")
        try:
            _ingest_one(collection, file, known, report, partial(tell, "embedding"), down)
        except (DocumentError, VectorsUnavailable) as error:
            if isinstance(error, VectorsUnavailable):
                down = error
            report.failed.append(Failure(file.source, error.message, error.hint))
        except OSError as error:
            reason = f"{printable(file.path.name)} cannot be read: {error.strerror or error}."
            report.failed.append(Failure(file.source, reason, "Check the file and its permissions."))
    collection.calibrate()
    on_progress(Progress("done", len(found), len(found)))
    report.seconds = round(time.monotonic() - began, 3)
    return report


def _tell(on_progress: OnProgress, done: int, total: int, doc: str, stage: str, detail: str = "") -> None:
    on_progress(Progress(stage, done, total, doc, detail))


def _ingest_one(
    collection: Collection,
    file: FoundFile,
    known: dict[str, SourceFile],
    report: IngestReport,
    on_chunks: Callable[[str], None],
    down: VectorsUnavailable | None,
) -> None:
    """Bring one file up to date; ``known`` holds the documents by their file and is kept current.

    Raises ``down`` where there is something to index: each file would wait for the server again.
    """
    before = known.get(file.source)
    if not file.path.is_file():
        raise UnsupportedFormat(f"{printable(file.path.name)} is not a regular file.", "Ingest files and folders only.")
    status = file.path.stat()
    stamp = f"{status.st_mtime_ns}:{status.st_ctime_ns}"
    if before and (before.size, before.stamp) == (status.st_size, stamp):
        report.unchanged += 1
        return
    digest = _sha256(file.path)
    same = before if before and before.sha256 == digest else _twin(known, digest)
    if same:
        if before and same is not before:  # two documents have become one
            collection.remove([before.document_id])
            del known[file.source]
            report.removed += 1
        if same is before or not os.path.lexists(same.source):  # written again, or moved here
            collection.catalog.touch(same.document_id, file.source, status.st_size, stamp)
            del known[same.source]
            known[file.source] = replace(same, source=file.source, size=status.st_size, stamp=stamp)
        else:
            log.info("%s has the same content as %s and is not stored twice", file.doc, same.doc)
        report.unchanged += 1
        return
    if down:
        raise down
    content = _read(file.path)
    spans = collection.cut(content)
    doc = before.doc if before else _free_name(file, {other.doc for other in known.values()})
    entry = SourceFile(0, doc, file.source, digest, status.st_size, stamp)
    document_id = collection.put(
        entry,
        content,
        spans,
        replaces=before.document_id if before else None,
        on_chunks=lambda done: on_chunks(f"{done}/{len(spans)}"),
    )
    known[file.source] = replace(entry, document_id=document_id)
    report.chunks += len(spans)
    if before:
        report.updated += 1
    else:
        report.added += 1


def _twin(known: Mapping[str, SourceFile], digest: str) -> SourceFile | None:
    """The document of this content, unless its file has other content by now and will take it along."""
    for other in known.values():
        if other.sha256 == digest and not _rewritten(other):
            return other
    return None


def _rewritten(file: SourceFile) -> bool:
    try:
        return _sha256(Path(file.source)) != file.sha256
    except OSError:  # gone, or out of reach: what is known of it still holds
        return False


def _read(path: Path) -> ExtractedText:
    try:
        return read(path)
    except (DocumentError, OSError):
        raise
    except Exception as error:  # the fault of a library must not keep the other files out
        log.exception("reading %s failed", printable(str(path)))
        raise DamagedDocument(
            f"{printable(path.name)} could not be read: {type(error).__name__}.", "The log has the details."
        ) from error


def _discover(paths: Sequence[Path], skip: Path | None, report: IngestReport) -> list[FoundFile]:
    found: dict[Path, FoundFile] = {}
    for given in paths:
        path = Path(os.path.abspath(given.expanduser()))
        if os.path.isdir(path):  # unlike Path's, it says no where we may not look
            for file in _walk(path, skip, report):
                found.setdefault(file, FoundFile(file, printable(file.relative_to(path).as_posix()), path))
        elif os.path.exists(path):
            found.setdefault(path, FoundFile(path, printable(path.name), path.parent))
        else:
            raise DocumentMissing(
                f"There is no file or folder {printable(str(given))}.", "Check the path; nothing was changed."
            )
    return list(found.values())


def _walk(folder: Path, skip: Path | None, report: IngestReport) -> Iterator[Path]:
    def failed(error: OSError) -> None:
        name = printable(str(error.filename))
        reason = f"The folder {name} cannot be read: {error.strerror}."
        report.failed.append(Failure(name, reason, "Check the folder's permissions."))

    skipped = os.path.realpath(skip) if skip else None
    for parent, folders, files in os.walk(folder, onerror=failed):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(parent, name)) != skipped
        )
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))


def _gone(collection: Collection, paths: Iterable[Path], found: Sequence[FoundFile], report: IngestReport) -> list[int]:
    """Documents whose file was below one of the folders and is there no more.

    Unreadable folders lose nothing, nor do files that are there but not looked at (hidden, or uploaded ones in a data
    folder inside the folder).
    """
    folders = [os.path.abspath(path.expanduser()) for path in paths if os.path.isdir(path.expanduser())]
    unreadable = [failure.path for failure in report.failed]
    present = {file.source for file in found}
    return [
        known.document_id
        for source, known in collection.catalog.sources(collection.row.id).items()
        if source not in present
        and any(_below(source, folder) for folder in folders)
        and not any(_below(source, folder) for folder in unreadable)
        and not os.path.isfile(source)
    ]


def _below(source: str, folder: str) -> bool:
    return source.startswith(printable(folder).rstrip("/\\") + os.sep)


def _free_name(file: FoundFile, taken: set[str]) -> str:
    """The document's name; where another folder's document has it, the folder's name goes before it."""
    names = [file.doc, f"{file.root.name}/{file.doc}", file.source]
    return next((name for name in names if name not in taken), file.source)


def printable(path: str) -> str:
    """A path as text that any store and any JSON takes, whatever bytes the file system holds."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
