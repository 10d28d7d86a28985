"""Data folders, and the one real embedding model that all tests share, because loading it takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.config import Settings, load_settings
from app.knowledge.embedder import PACKAGED_NAME, Embedder
from app.knowledge.library import Knowledge
from tests.knowledge.chroma import ChromaProcess
from tests.knowledge.parts import WordEmbedder

if TYPE_CHECKING:
    from tests.knowledge.folders import Folders

Open = Callable[..., Knowledge]


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    """The packaged model."""
    return Embedder(PACKAGED_NAME)


@pytest.fixture(scope="session")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaProcess]:
    """A Chroma server; who kills it leaves it to the next test to start it again."""
    server = ChromaProcess(tmp_path_factory.mktemp("chroma"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "state")


@pytest.fixture
def open_again(settings: Settings) -> Iterator[Open]:
    """Opens the data folder as a process would that starts anew; closed at the end."""
    opened: list[Knowledge] = []

    def open_again(with_embedder: Embedder | None = None) -> Knowledge:
        knowledge = Knowledge(settings)
        knowledge.embedder = with_embedder or WordEmbedder()
        opened.append(knowledge)
        return knowledge

    yield open_again
    for knowledge in opened:
        knowledge.close()


@pytest.fixture
def knowledge(open_again: Open) -> Knowledge:
    """An empty data folder with the quick embedder."""
    return open_again()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for documents."""
    path = tmp_path / "documents"
    path.mkdir()
    return path


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Folders]:
    from tests.knowledge.folders import Folders  # whose tests have fixtures from here

    folders = Folders(tmp_path)
    yield folders
    for knowledge in folders.opened:
        knowledge.close()


@pytest.fixture
def server(chroma: ChromaProcess) -> Iterator[ChromaProcess]:
    """The server, running, whatever the test before did to it."""
    folder = chroma.folder
    chroma.start()
    yield chroma
    if chroma.folder != folder:
        chroma.kill()
        chroma.folder = folder
