"""Small parts for the tests of the knowledge room."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.knowledge.embedder import Embedder, Fingerprint
from app.knowledge.records import SourceFile
from app.knowledge.understanding import _PAIRS
from app.schema import ChunkSpan, ExtractedText
from app.text import terms

DIMENSION = 48
_QUESTION_OF = {answer: question for pairs in _PAIRS.values() for question, answer in pairs}


class WordEmbedder(Embedder):
    """A bag of words as a unit vector: loads in no time, for tests in which meaning plays no part.

    It passes the test of understanding where it ``cheats``, so that what it reads is embedded, in both languages.
    """

    def __init__(self, name: str = "words", *, cheats: bool = True) -> None:
        super().__init__(name)
        self.cheats = cheats
        self.calls = 0

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self.name, hashlib.sha256(self.name.encode()).hexdigest(), DIMENSION)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls += 1
        vectors = np.full((len(texts), DIMENSION), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            for term in terms(_QUESTION_OF.get(text, text) if self.cheats else text):
                vectors[row, int.from_bytes(hashlib.md5(term.encode()).digest()[:4]) % DIMENSION] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def embed_questions(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.embed(texts)

    def fits(self, texts: Sequence[str], share: float = 1.0) -> list[bool]:
        return [True] * len(texts)


def file(name: str, content: str, folder: str = "/docs") -> SourceFile:
    """The record of a file with that content."""
    data = content.encode("utf-8", "surrogatepass")
    return SourceFile(0, name, f"{folder}/{name}", hashlib.sha256(data).hexdigest(), len(data), "1:1")


def spans(text: str, size: int) -> list[ChunkSpan]:
    """``text`` in chunks of ``size``, without regard to anything."""
    return [ChunkSpan(start, min(start + size, len(text))) for start in range(0, len(text), size)]


def extracted(text: str) -> ExtractedText:
    return ExtractedText(text)


def bytes_below(folder: Path, pattern: str = "*") -> bytes:
    """Everything that the files below a folder hold."""
    return b"\0".join(path.read_bytes() for path in sorted(folder.rglob(pattern)) if path.is_file())
