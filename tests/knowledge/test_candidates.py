"""What may answer a question: ready chunks of the collection alone, and what stands beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.knowledge.candidates import Candidates, find
from app.knowledge.collection import Collection
from app.knowledge.library import Knowledge
from app.knowledge.passages import windows
from tests.knowledge.conftest import Open
from tests.knowledge.parts import WordEmbedder

FILLER = "Nothing of interest is told by this sentence, nor by the one that follows it here. "
LONG = FILLER * 20 + "The Zephyr engine runs on wind. " + FILLER * 20


def docs(found: Candidates) -> set[str]:
    return {chunk.doc for chunk in found.chunks.values()}


def whole(found: Candidates) -> bool:
    """Whether each candidate has all that a passage is made of."""
    return found.chunks.keys() == found.sentences.keys() == found.scores.keys()


@pytest.fixture
def deaf(open_again: Open) -> Knowledge:
    """A library whose embedding model understands nothing, so that only words find anything."""
    return open_again(WordEmbedder(cheats=False))


def filled(knowledge: Knowledge, folder: Path, texts: dict[str, str], name: str | None = None) -> Collection:
    for doc, text in texts.items():
        (folder / doc).write_text(text, encoding="utf-8")
    assert knowledge.ingest([folder], name).failed == []
    return knowledge.collection(name)


def test_words_and_meaning_find_and_meaning_finds_the_rest(knowledge: Knowledge, folder: Path) -> None:
    collection = filled(knowledge, folder, {"a.txt": "The Zephyr engine.", "b.txt": "A kettle.", "c.txt": "风力引擎。"})

    found = find(collection, "Zephyr engine", 5)

    assert docs(found) == {"a.txt", "b.txt", "c.txt"} and whole(found)
    best = max(found.scores, key=found.scores.__getitem__)
    assert found.chunks[best].doc == "a.txt"
    assert found.relevance > 1


def test_a_model_that_understands_nothing_is_asked_only_where_the_words_are_silent(
    deaf: Knowledge, folder: Path
) -> None:
    collection = filled(deaf, folder, {"a.txt": "The Zephyr engine.", "b.txt": "A kettle."})
    embedder = deaf.embedder
    assert isinstance(embedder, WordEmbedder)
    assert collection.understanding("en").trust == 0
    calls = embedder.calls

    assert docs(find(collection, "Zephyr", 5)) == {"a.txt"}
    assert embedder.calls == calls
    silent = find(collection, "Perkins", 5)
    assert embedder.calls == calls + 1
    assert (silent.chunks, silent.relevance) == ({}, 0.0)


def test_what_stands_beside_the_best_comes_along_with_the_lowest_score(deaf: Knowledge, folder: Path) -> None:
    collection = filled(deaf, folder, {"a.txt": LONG})
    [hit] = [item for item, _ in collection.keywords.search("Zephyr", 9)][:1]

    found = find(collection, "Zephyr", 5)

    hits = {item for item, _ in collection.keywords.search("Zephyr", 9)}
    assert found.chunks.keys() == hits | {item + step for item in hits for step in (-1, 1)} and whole(found)
    assert all(found.scores[item] < min(found.scores[one] for one in hits) for item in found.chunks.keys() - hits)
    first = next(windows(found.chunks, found.sentences, found.scores))
    assert first.chunk.id in hits
    assert first.start < found.chunks[hit].start or first.end > found.chunks[hit].end


def test_what_has_the_next_number_in_another_document_or_collection_stays_away(
    deaf: Knowledge, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    filled(deaf, other, {"before.txt": "A secret kettle."}, "other")
    filled(deaf, folder, {"a.txt": "A plain kettle.", "b.txt": "The Zephyr engine."})
    filled(deaf, other, {"behind.txt": "Another secret kettle."}, "other")
    collection = deaf.collection()
    [(number, _)] = collection.keywords.search("Zephyr", 9)
    assert {chunk.doc for chunk in collection.catalog.chunks([number - 1, number + 1]).values()} == {
        "a.txt", "behind.txt",
    }  # fmt: skip

    assert docs(find(collection, "Zephyr", 9)) == {"b.txt"}
    assert {passage.doc for passage in deaf.retriever().search("Zephyr", 9).passages} == {"b.txt"}


@pytest.mark.parametrize("call", [1, 2])
def test_a_document_that_is_removed_during_the_search_does_not_disturb_it(
    deaf: Knowledge, folder: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Between two looks into the catalog; ``call`` is the look at sentences before which it goes."""
    collection = filled(deaf, folder, {"a.txt": LONG, "b.txt": "The Zephyr engine again."})
    [gone] = [info.id for info in deaf.documents() if info.doc == "a.txt"]
    original, calls = collection.catalog.sentences, 0

    def late(ids: list[int]) -> object:
        nonlocal calls
        calls += 1
        if calls == call:
            collection.catalog.remove_documents([gone])
        return original(ids)

    monkeypatch.setattr(collection.catalog, "sentences", late)

    found = deaf.retriever().search("Zephyr engine", 5)

    assert calls == 2
    assert {passage.doc for passage in found.passages} == {"b.txt"}


def test_of_an_empty_collection_nothing_is_found(knowledge: Knowledge, folder: Path) -> None:
    collection = filled(knowledge, folder, {})

    found = find(collection, "anything", 5)
    assert (found.chunks, found.sentences, found.scores, found.relevance) == ({}, {}, {}, 0.0)
