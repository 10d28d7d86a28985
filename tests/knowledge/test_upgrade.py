"""Collections of an older edition are brought up to date from what the catalog keeps."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from app.errors import EmbedderMismatch
from app.knowledge.library import Knowledge
from tests.knowledge.conftest import Open
from tests.knowledge.parts import WordEmbedder
from tests.knowledge.test_collection import NEW, OLD, break_at, consistent, found, ready_ids


@pytest.fixture
def old(open_again: Open, folder: Path) -> Knowledge:
    """A library whose documents were cut by an older edition, and whose keyword index that one made elsewhere."""
    knowledge = open_again()
    for name, text in (("a.txt", OLD), ("b.txt", NEW)):
        (folder / name).write_text(text)
    knowledge.ingest([folder])
    collection = knowledge.collection()
    collection.catalog._db.execute("UPDATE documents SET edition = 1")
    collection.catalog._db.execute("UPDATE chunks SET sentences = NULL, vectors = NULL")
    collection.keywords.remove([info.id for info in knowledge.documents()])
    return knowledge


@pytest.mark.parametrize("way", ["search", "ingest"])
def test_old_documents_are_cut_and_indexed_anew_once(
    old: Knowledge, folder: Path, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    collection = old.collection()
    before, chunks = old.documents(), ready_ids(collection)

    with caplog.at_level(logging.WARNING):
        if way == "search":
            old.retriever()
        else:
            assert old.ingest([folder]).unchanged == 2

    assert caplog.text.count("is brought up to date: 2 documents") == 1
    assert [(info.id, info.doc, info.sha256) for info in old.documents()] == [
        (info.id, info.doc, info.sha256) for info in before
    ]
    assert not chunks & ready_ids(collection) and consistent(collection)
    assert all(one.vectors is not None for one in collection.catalog.sentences(sorted(ready_ids(collection))).values())
    assert found(old, "engine runs Perkins Zephyr") == {"Perkins", "Zephyr"}
    assert caplog.text.count("is brought up to date") == 1


@pytest.mark.parametrize(
    "step", ["vectors.add", "vectors.remove", "keywords.add", "catalog.forget_garbage", "catalog.up_to_date"]
)
def test_an_upgrade_that_was_stopped_is_begun_again(old: Knowledge, step: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        break_at(step, old.collection(), patch, RuntimeError("stopped"))
        with pytest.raises(RuntimeError, match="stopped"):
            old.retriever()

    assert found(old, "engine runs Perkins Zephyr") == {"Perkins", "Zephyr"}
    assert consistent(old.collection())
    assert old.collection().catalog.garbage(old.collection().row.id) == []


def test_another_embedding_model_changes_nothing(old: Knowledge, open_again: Open) -> None:
    chunks = ready_ids(old.collection())
    later = open_again(WordEmbedder("other"))

    with pytest.raises(EmbedderMismatch):
        later.retriever()

    assert ready_ids(later.collection()) == chunks
