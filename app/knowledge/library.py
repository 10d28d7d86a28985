"""All collections of a data folder, behind one object."""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.config import Settings
from app.errors import CollectionError, CollectionNameWrong, DataFolderError, DocumentMissing
from app.knowledge.catalog import Catalog
from app.knowledge.collection import Collection
from app.knowledge.embedder import Embedder
from app.knowledge.ingestion import ingest, printable
from app.knowledge.keywords import KeywordIndex
from app.knowledge.records import SourceFile
from app.knowledge.reranker import Reranker
from app.knowledge.sentence_models import Allowed
from app.knowledge.understanding import Understanding, understanding
from app.knowledge.upgrade import upgrade
from app.knowledge.vectors import VectorIndex, open_client
from app.schema import DocumentInfo, ExtractedText, IngestReport, OnProgress
from app.text import Language

if TYPE_CHECKING:
    from app.knowledge.retriever import HybridRetriever

log = logging.getLogger(__name__)

DEFAULT_COLLECTION = "default"
_NAME = re.compile(r"[\w][\w .-]{0,62}", re.UNICODE)
_KEYWORDS = "keywords-2"  # a folder for each make of the index


def check_name(name: str) -> None:
    """Raises CollectionNameWrong where no collection can be called so."""
    if not _NAME.fullmatch(name):
        raise CollectionNameWrong(
            f"A collection cannot be called {name!r}.",
            "Use up to 63 letters, digits, blanks, dots, - and _, beginning with a letter or digit.",
        )


class Knowledge:
    """The documents of one data folder. Safe from several threads; one process writes at a time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.data_dir
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._catalog = Catalog(self.folder / "catalog.sqlite3")
        except OSError as error:
            raise DataFolderError(
                f"The data folder {self.folder} cannot be used: {error.strerror}.",
                "Set DATA_DIR to a folder you can write to.",
            ) from error
        allowed = Allowed(settings.models_folder, settings.trust_remote_code, settings.allow_pickle)
        self.embedder = Embedder(settings.embedding_model, allowed)
        self.reranker = Reranker(settings.reranker_model, allowed) if settings.reranker_model else None
        self._open: dict[str, Collection] = {}
        self._understood: dict[Language, Understanding] = {}
        self._lock = threading.RLock()
        self._writing = threading.Lock()

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            self._open.clear()
            if "_client" in vars(self):  # cached: it was used
                self._client.close()
                del self._client
            self._catalog.close()

    @cached_property
    def _client(self) -> Any:
        return open_client(self.settings)

    def names(self) -> list[str]:
        """The names of all collections."""
        return [row.name for row in self._catalog.collections()]

    def collection(self, name: str | None = None, *, create: bool = False) -> Collection:
        """The collection called ``name`` (or the default one).

        Raises:
            CollectionError: it does not exist.
            CollectionNameWrong: a new one cannot be called so.
        """
        name = DEFAULT_COLLECTION if name is None else name
        with self._lock:
            if name not in self._open:
                row = self._catalog.collection(name)
                if row is None:
                    if not create:
                        raise CollectionError(f"There is no collection {name!r}.", self._known_names())
                    check_name(name)
                    fingerprint = self.embedder.fingerprint
                    row = self._catalog.create_collection(
                        name, fingerprint.name, fingerprint.sha256, fingerprint.dimension
                    )
                vectors = VectorIndex(self._client, f"collection-{row.id}")
                keywords = KeywordIndex(self.folder / _KEYWORDS / str(row.id))
                self._open[name] = Collection(row, self._catalog, vectors, keywords, self.embedder, self.understanding)
            return self._open[name]

    def _known_names(self) -> str:
        names = self.names()
        if not names:
            return "Nothing has been ingested yet; begin with `python -m app ingest FOLDER`."
        return f"There is {', '.join(names)}."

    def ingest(
        self, paths: Sequence[Path], name: str | None = None, on_progress: OnProgress = lambda progress: None
    ) -> IngestReport:
        """Bring a collection (made on first use) up to date with files and folders; one ingestion at a time."""
        missing = next((path for path in paths if not os.path.exists(path.expanduser())), None)
        if missing is not None:
            raise DocumentMissing(
                f"There is no file or folder {printable(str(missing))}.", "Check the path; nothing was changed."
            )
        with self._writing:
            collection = self.collection(name, create=True)
            self._upgrade(collection, on_progress)
            return ingest(collection, paths, on_progress=on_progress, skip=self.folder)

    def documents(self, name: str | None = None) -> list[DocumentInfo]:
        """The documents of a collection; none where the default collection was never made."""
        if name is None and DEFAULT_COLLECTION not in self.names():
            return []
        collection = self.collection(name)
        return self._catalog.documents(collection.row.id)

    def files(self, name: str | None = None) -> list[SourceFile]:
        """The files that the documents of a collection came from."""
        row = self._catalog.collection(name or DEFAULT_COLLECTION)
        return list(self._catalog.sources(row.id).values()) if row else []

    def remove(self, docs: Sequence[str], name: str | None = None) -> list[SourceFile]:
        """Remove documents by name, all or none; returns the files that they came from.

        Raises:
            DocumentMissing: one of the names is not in the collection.
        """
        collection = self.collection(name)
        with self._writing:
            by_doc = {file.doc: file for file in self._catalog.sources(collection.row.id).values()}
            for doc in docs:
                if doc not in by_doc:
                    raise DocumentMissing(
                        f"There is no document {doc!r} in collection {collection.row.name!r}.",
                        "`python -m app documents` lists them; nothing was removed.",
                    )
            files = [by_doc[doc] for doc in dict.fromkeys(docs)]
            collection.remove([file.document_id for file in files])
            collection.calibrate()
        return files

    def retriever(self, name: str | None = None) -> HybridRetriever:
        """The retriever over a collection. Raises CollectionError, EmbedderMismatch and VectorsUnavailable."""
        from app.knowledge.retriever import HybridRetriever

        collection = self.collection(name)
        collection.check_embedder()
        if self._catalog.outdated(collection.row.id) or not collection.settled():
            with self._writing:
                self._upgrade(collection)
        return HybridRetriever(collection=collection, strictness=self.settings.strictness, reranker=self.reranker)

    def _upgrade(self, collection: Collection, on_progress: OnProgress = lambda progress: None) -> None:
        upgrade(collection, on_progress)
        if self.settings.chroma_url and all(row.place for row in self._catalog.collections()):
            shutil.rmtree(self.folder / "chroma", ignore_errors=True)  # of no use any more, and it would grow stale

    def understanding(self, language: Language) -> Understanding:
        """How far the embedding model is to be believed in a language; measured on first use."""
        if language not in self._understood:
            self._understood[language] = understanding(self.embedder, language)
        return self._understood[language]

    def content(self, document_id: int, sha256: str) -> ExtractedText | None:
        """The text of a document, if that version of it is still there."""
        file = self._catalog.file_of(document_id)
        return self._catalog.content(document_id) if file and file.sha256 == sha256 else None

    def file(self, document_id: int) -> SourceFile | None:
        """The file that a document came from."""
        return self._catalog.file_of(document_id)

    def recover(self) -> None:
        """Clean up after a crash: drop what was half-way in, finish what was half-way out. For the folder's owner."""
        self._catalog.discard_pending()
        for row in self._catalog.collections():
            if not self._catalog.garbage(row.id):  # opening a collection is slow; most starts need none
                continue
            try:
                self.collection(row.name).sweep()
            except Exception:  # garbage is never returned; it must not keep the product from starting
                log.exception("collection %r could not be cleaned up; the next start tries again", row.name)
