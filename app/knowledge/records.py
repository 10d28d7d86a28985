"""The rows of the catalog as the knowledge room passes them around."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.text import Span


@dataclass(frozen=True)
class CollectionRow:
    """A collection, the embedding model that built it, and what was measured of its texts (JSON).

    ``place``: where all its vectors were written last (VectorIndex.place).
    """

    id: int
    name: str
    embedder: str
    embedder_sha256: str
    dimension: int
    calibration: str = ""
    place: str = ""


@dataclass(frozen=True)
class SourceFile:
    """The ready document that came from a file: ``source`` is its absolute path, ``stamp`` changes with every write."""

    document_id: int
    doc: str
    source: str
    sha256: str
    size: int
    stamp: str


@dataclass(frozen=True)
class Garbage:
    """Ids to be deleted from the indexes of a collection; the chunk ids are a closed range."""

    document_id: int
    collection_id: int
    first_chunk: int | None
    last_chunk: int | None

    @property
    def chunk_ids(self) -> range:
        """The chunk ids, empty for a document without chunks."""
        if self.first_chunk is None or self.last_chunk is None:
            return range(0)
        return range(self.first_chunk, self.last_chunk + 1)


@dataclass(frozen=True)
class Sentences:
    """The sentences of a chunk: ``spans`` in the document and, where they were embedded, a unit vector for each.

    ``vectors``: (len(spans), dimension), float32.
    """

    spans: tuple[Span, ...]
    vectors: NDArray[np.float32] | None


def packed(spans: Sequence[Span]) -> bytes:
    """Spans as the catalog keeps them."""
    return array("Q", [offset for span in spans for offset in span]).tobytes()


def unpacked(data: bytes | None) -> tuple[Span, ...]:
    """The spans that :func:`packed` made ``data`` of; none of none."""
    offsets = array("Q")
    offsets.frombytes(data or b"")
    return tuple(zip(offsets[::2], offsets[1::2], strict=True))
