"""The vector index of one collection: ids and unit vectors in Chroma, nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from app.errors import VectorsUnavailable
from app.knowledge.chroma_server import ChromaServer, ServerCollection

if TYPE_CHECKING:
    from app.config import Settings
    from app.knowledge.embedder import Vectors

_BATCH = 2000  # rows a call; Chroma refuses more than its SQLite takes parameters


def open_client(settings: Settings) -> Any:
    """The Chroma that keeps the vectors of a data folder: embedded with telemetry off, or the server CHROMA_URL.

    A server is not asked before its first use. Raises DataFolderError.
    """
    if settings.chroma_url:
        return ChromaServer(settings)
    import chromadb
    from chromadb.config import Settings as ChromaSettings

    folder = settings.data_dir / "chroma"
    return chromadb.PersistentClient(path=str(folder), settings=ChromaSettings(anonymized_telemetry=False))


class VectorIndex:
    """Cosine search over chunk ids. With a server, everything here raises VectorsUnavailable.

    ``believed`` is set by who has looked whether all vectors are there, and falls when a server fails.
    """

    def __init__(self, client: Any, name: str) -> None:
        self.believed = False
        self._client = client
        self._name = name
        self._opened: Any = None
        self._lock = threading.Lock()

    @contextmanager
    def _chroma(self) -> Iterator[Any]:
        """The collection in Chroma; after a failure it is looked for anew: the server may have lost it."""
        try:
            with self._lock:
                if self._opened is None:
                    self._opened = self._client.get_or_create_collection(
                        self._name, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
                    )
                opened = self._opened
            yield opened
        except VectorsUnavailable:
            self._opened, self.believed = None, False
            raise

    @property
    def place(self) -> str:
        """Empty for the embedded Chroma; else what a server calls the collection, and no other one ever."""
        with self._chroma() as chroma:
            return chroma.id if isinstance(chroma, ServerCollection) else ""

    def count(self) -> int:
        """How many ids there are."""
        with self._chroma() as chroma:
            return int(chroma.count())

    def add(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Store one vector for each id; an id that is there already is overwritten."""
        with self._chroma() as chroma:
            for first in range(0, len(ids), _BATCH):
                part = slice(first, first + _BATCH)
                chroma.upsert(ids=[str(item) for item in ids[part]], embeddings=vectors[part])

    def remove(self, ids: Sequence[int]) -> None:
        """Forget these ids; unknown ones are ignored."""
        with self._chroma() as chroma:
            for first in range(0, len(ids), _BATCH):
                chroma.delete(ids=[str(item) for item in ids[first : first + _BATCH]])

    def search(self, vector: Vectors, k: int) -> list[tuple[int, float]]:
        """The ``k`` nearest ids with their cosine similarity (-1 to 1), nearest first. ``vector``: (dimension,)."""
        with self._chroma() as chroma:
            found = chroma.query(query_embeddings=[vector], n_results=k, include=["distances"])
        pairs = zip(found["ids"][0], found["distances"][0], strict=True)
        return [(int(item), 1.0 - float(distance)) for item, distance in pairs]

    def destroy(self) -> None:
        """Delete the index with all that it holds; the next use makes an empty one."""
        with self._chroma():
            self._client.delete_collection(self._name)
            self._opened, self.believed = None, False
