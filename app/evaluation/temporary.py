"""Collections for a single evaluation: made beside the user's own, never part of them, and gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import EvaluationError
from app.knowledge import open_knowledge
from app.schema import OnProgress, Progress

if TYPE_CHECKING:
    from app.config import Settings
    from app.knowledge.library import Knowledge

_PREFIX = ".temporary-"


@contextmanager
def folder(parent: Path) -> Iterator[Path]:
    """An empty folder below ``parent`` that is gone at the end, whatever ends it."""
    parent.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def clean_up(parent: Path) -> None:
    """Remove what a killed process left below ``parent``."""
    for path in parent.glob(f"{_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def opened(settings: Settings, data: Path) -> Iterator[Knowledge]:
    """The collections in the data folder ``data``; models stay where ``settings`` have them."""
    with closing(open_knowledge(settings.model_copy(update=_elsewhere(settings, data)))) as knowledge:
        yield knowledge


def _elsewhere(settings: Settings, data: Path) -> dict[str, object]:
    changed: dict[str, object] = {"data_dir": data, "models_dir": settings.models_folder}
    if data != settings.data_dir:
        changed["chroma_url"] = ""  # nothing of a folder that is soon gone stays on a server
    return changed


def ingest(knowledge: Knowledge, corpus: Path, home: Path, on_progress: OnProgress) -> list[str]:
    """The files below ``corpus`` into the default collection; those that could not be read, each with its reason.

    ``home`` is the product's own data folder.

    Raises:
        DocumentMissing: there is no such folder.
        EvaluationError: no document came of it, or it holds ``home``, whose files are no documents.
    """
    if home.resolve().is_relative_to(corpus.resolve()):
        raise EvaluationError(
            f"{corpus} holds the data folder {home}, whose files are no documents.", "Name a folder beside it."
        )
    report = knowledge.ingest([corpus], None, on_progress)
    failed = [f"{failure.path}: {failure.error}" for failure in report.failed]
    if not knowledge.documents():
        reason = f" {failed[0]}" if failed else ""
        raise EvaluationError(f"{corpus} holds no document that can be read.{reason}", "Name a folder with documents.")
    return failed


def copy(source: Knowledge, collection: str | None, target: Knowledge, on_progress: OnProgress) -> None:
    """Index the stored texts of a collection anew, with the settings of ``target``, as its default collection."""
    new = target.collection(create=True)
    infos = source.documents(collection)
    for number, info in enumerate(infos):
        content, file = source.content(info.id, info.sha256), source.file(info.id)
        if content is None or file is None:  # removed meanwhile
            continue

        def tell(done: int, number: int = number, doc: str = info.doc) -> None:
            on_progress(Progress("embedding", number, len(infos), doc))

        tell(0)
        new.put(file, content, new.cut(content), on_chunks=tell)
    new.calibrate()
