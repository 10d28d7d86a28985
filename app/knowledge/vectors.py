"""The vector index of one collection: ids and unit vectors in an embedded Chroma, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.knowledge.embedder import Vectors

_BATCH = 2000  # rows a call; Chroma refuses more than its SQLite takes parameters


def open_client(folder: Path) -> Any:
    """The embedded Chroma of a data folder, telemetry off."""
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(path=str(folder), settings=Settings(anonymized_telemetry=False))


class VectorIndex:
    """Cosine search over chunk ids."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name
        self._collection = client.get_or_create_collection(
            name, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )

    def add(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Store one vector for each id; an id that is there already is overwritten."""
        for first in range(0, len(ids), _BATCH):
            part = slice(first, first + _BATCH)
            self._collection.upsert(ids=[str(item) for item in ids[part]], embeddings=vectors[part])

    def remove(self, ids: Sequence[int]) -> None:
        """Forget these ids; unknown ones are ignored."""
        for first in range(0, len(ids), _BATCH):
            self._collection.delete(ids=[str(item) for item in ids[first : first + _BATCH]])

    def search(self, vector: Vectors, k: int) -> list[tuple[int, float]]:
        """The ``k`` nearest ids with their cosine similarity (-1 to 1), nearest first. ``vector``: (dimension,)."""
        found = self._collection.query(query_embeddings=[vector], n_results=k, include=["distances"])
        pairs = zip(found["ids"][0], found["distances"][0], strict=True)
        return [(int(item), 1.0 - float(distance)) for item, distance in pairs]

    def destroy(self) -> None:
        """Delete the index from disk."""
        self._client.delete_collection(self._name)
