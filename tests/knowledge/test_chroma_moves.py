"""Vectors that are not where they should be are written anew from the stored texts, on first use."""

from __future__ import annotations

import logging

import pytest

from app.config import load_settings
from app.errors import DataFolderError, VectorsUnavailable
from app.evaluation import temporary
from app.knowledge.library import Knowledge
from app.knowledge.vectors import open_client
from app.schema import Progress
from tests.knowledge.chroma import ChromaProcess
from tests.knowledge.folders import QUESTION, Folders, complete
from tests.knowledge.parts import WordEmbedder
from tests.knowledge.test_collection import OLD, found, ready_ids


def nearest(knowledge: Knowledge) -> dict[int, float]:
    """What the vectors alone find for a question, with its cosine: each chunk has its own."""
    collection = knowledge.retriever().collection
    return dict(collection.vectors.search(collection.embedder.embed(["It runs on coal"])[0], 1000))


@pytest.mark.parametrize("way", ["search", "ingest"])
def test_a_folder_moves_to_a_server_and_back(
    server: ChromaProcess, folders: Folders, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    knowledge = folders.filled()
    mills = (f"Mill {number} runs on {fuel} and grinds. " * 20 for number, fuel in enumerate(("oats", "coal", "rain")))
    (folders.documents / "c.txt").write_text("\n\n".join(mills))
    assert knowledge.ingest([folders.documents]).chunks > 2
    before = nearest(knowledge)
    knowledge.close()
    for url in (server.url, ""):
        embedder = WordEmbedder()
        knowledge = folders.open(url, embedder=embedder)
        if way == "ingest":
            seen: list[Progress] = []
            assert knowledge.ingest([folders.documents], on_progress=seen.append).unchanged == 3
            assert [(progress.stage, progress.item) for progress in seen[:2]] == [
                ("embedding", "a.txt"), ("embedding", "b.txt"),
            ]  # fmt: skip
        with caplog.at_level(logging.WARNING):
            assert complete(knowledge) and found(knowledge, QUESTION) == {"Perkins", "Zephyr"}
        assert (knowledge.folder / "chroma").exists() is not bool(url)
        assert nearest(knowledge) == pytest.approx(before, abs=1e-5)
        calls = embedder.calls
        knowledge.retriever()
        assert embedder.calls == calls  # once
        knowledge.close()
    if way == "search":
        assert caplog.text.count("3 documents are embedded anew") == 2


def test_what_changed_on_the_server_counts_when_the_setting_is_unset(server: ChromaProcess, folders: Folders) -> None:
    """The same number of vectors, but of other texts: the number alone would not tell."""
    knowledge = folders.filled()
    knowledge.collection("other", create=True)  # not moved: the embedded vectors are kept
    number = knowledge.collection().vectors.count()
    knowledge.close()
    knowledge = folders.open(server.url)
    (folders.documents / "a.txt").write_text(OLD.replace("coal", "milk"))
    assert knowledge.ingest([folders.documents]).updated == 1
    knowledge.close()
    assert (folders.home / "state" / "chroma").exists()

    knowledge = folders.open()
    assert complete(knowledge)
    assert knowledge.collection().vectors.count() == number


def test_another_server_gets_the_vectors_on_first_use(
    server: ChromaProcess, folders: Folders, tmp_path_factory: pytest.TempPathFactory
) -> None:
    knowledge = folders.filled(server.url)
    server.kill()
    server.folder = tmp_path_factory.mktemp("empty")
    server.start()

    with pytest.raises(VectorsUnavailable, match=r"has lost its vectors\. Try again"):
        knowledge.retriever().search(QUESTION)
    assert complete(knowledge) and found(knowledge, QUESTION) == {"Perkins", "Zephyr"}
    assert complete(folders.open(server.url))


def test_vectors_that_went_missing_are_noticed_by_their_number(
    server: ChromaProcess, folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    knowledge = folders.filled(server.url)
    chunks = sorted(ready_ids(knowledge.collection()))
    knowledge.collection().vectors.remove(chunks[:1])
    knowledge.close()

    assert complete(folders.open(server.url))
    assert "embedded anew" in caplog.text


def test_texts_that_are_not_understood_are_not_missed(
    server: ChromaProcess, folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    (folders.documents / "a.txt").write_text(OLD)
    for _ in range(2):
        embedder = WordEmbedder(cheats=False)
        knowledge = folders.open(server.url, embedder=embedder)
        knowledge.ingest([folders.documents])
        assert ready_ids(knowledge.collection()) and knowledge.collection().vectors.count() == 0
        knowledge.retriever()
        knowledge.close()
    assert "embedded anew" not in caplog.text


def test_an_interrupted_move_is_begun_again(server: ChromaProcess, folders: Folders) -> None:
    folders.filled().close()
    knowledge = folders.open(server.url)

    def stop(progress: object) -> None:
        if getattr(progress, "done", 0) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        knowledge.ingest([folders.documents], on_progress=stop)
    assert knowledge.collection().vectors.count() > 0
    assert (knowledge.folder / "chroma").exists()

    assert complete(knowledge)


def test_two_folders_share_a_server(server: ChromaProcess, folders: Folders) -> None:
    one, other = folders.filled(server.url, "one"), folders.filled(server.url, "other")
    assert complete(one) and complete(other)

    one.remove(["a.txt", "b.txt"])
    one.collection().vectors.destroy()

    assert complete(other)
    assert folders.open(server.url, "other")._client._prefix == other._client._prefix != one._client._prefix


def test_an_id_that_was_not_written_whole_is_made_anew(folders: Folders, server: ChromaProcess) -> None:
    state = folders.home / "state"
    state.mkdir()
    (state / "chroma-id").write_text("")
    assert complete(folders.filled(server.url))
    assert len((state / "chroma-id").read_text()) == 16

    (folders.home / "other" / "chroma-id").mkdir(parents=True)
    with pytest.raises(DataFolderError, match="chroma-id cannot be used"):
        open_client(load_settings(data_dir=folders.home / "other", chroma_url=server.url))


def test_an_evaluation_leaves_nothing_on_the_server(server: ChromaProcess, folders: Folders) -> None:
    settings = load_settings(data_dir=folders.home / "state", chroma_url=server.url)

    with temporary.opened(settings, folders.home / "passing") as elsewhere:
        assert elsewhere.settings.chroma_url == ""
    with temporary.opened(settings, settings.data_dir) as same:
        assert same.settings.chroma_url == server.url
