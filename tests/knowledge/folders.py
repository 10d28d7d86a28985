"""Data folders with two documents, opened again and again, whose vectors may be in a Chroma server."""

from __future__ import annotations

from pathlib import Path

from app.config import load_settings
from app.knowledge.library import Knowledge
from tests.knowledge.chroma import ChromaProcess
from tests.knowledge.parts import WordEmbedder
from tests.knowledge.test_collection import NEW, OLD, consistent, found, ready_ids

QUESTION = "engine runs Perkins Zephyr"


class Folders:
    """Opens data folders as a process would that starts anew, with any CHROMA_URL."""

    def __init__(self, tmp_path: Path) -> None:
        self.home = tmp_path
        self.documents = tmp_path / "documents"
        self.documents.mkdir()
        self.opened: list[Knowledge] = []

    def open(self, url: str = "", name: str = "state", embedder: WordEmbedder | None = None) -> Knowledge:
        knowledge = Knowledge(load_settings(data_dir=self.home / name, chroma_url=url))
        knowledge.embedder = embedder or WordEmbedder()
        self.opened.append(knowledge)
        return knowledge

    def filled(self, url: str = "", name: str = "state") -> Knowledge:
        """With two documents."""
        (self.documents / "a.txt").write_text(OLD)
        (self.documents / "b.txt").write_text(NEW)
        knowledge = self.open(url, name)
        assert knowledge.ingest([self.documents]).added == 2
        return knowledge


def complete(knowledge: Knowledge) -> bool:
    """Whether vectors and keywords are exactly those of the ready chunks, and documents are found by them."""
    knowledge.retriever()
    collection = knowledge.collection()
    return consistent(collection) and len(ready_ids(collection)) > 1 and found(knowledge, QUESTION) != set()


def stored(server: ChromaProcess, knowledge: Knowledge) -> dict[str, list[str]]:
    """The ids on the server by collection, of one data folder."""
    own = f"hotswap-{(knowledge.folder / 'chroma-id').read_text()}-"
    return {name.removeprefix(own): kept["ids"] for name, kept in server.collections().items() if name.startswith(own)}
