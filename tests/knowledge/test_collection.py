"""The three stores of a collection change together or not at all, also when the process dies in between."""

from __future__ import annotations

import logging
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.config import ROOT, Settings
from app.errors import EmbedderMismatch
from app.knowledge.collection import Collection
from app.knowledge.library import Knowledge
from tests.knowledge.conftest import Open
from tests.knowledge.parts import WordEmbedder, extracted, file, spans

OLD = "The old engine is called Perkins and runs on coal. " * 12
NEW = "The new engine is called Zephyr and runs on wind. " * 12
STEPS = ("vectors.add", "keywords.add", "catalog.make_ready", "embedder.embed", "catalog.add_pending")


def put(collection: Collection, text: str, name: str = "a.txt", replaces: int | None = None) -> int:
    return collection.put(file(name, text), extracted(text), spans(text, 60), replaces=replaces)


def found(knowledge: Knowledge, question: str) -> set[str]:
    """The last words of the documents whose passages a search returns."""
    passages = knowledge.retriever().search(question, 50).passages
    return {word for passage in passages for word in ("Perkins", "Zephyr") if word in passage.text}


def indexed(collection: Collection) -> tuple[set[int], set[int]]:
    """The chunk ids that the two indexes hold, whatever the catalog says."""
    vector = collection.embedder.embed(["engine"])[0]
    return (
        {item for item, _ in collection.vectors.search(vector, 1000)},
        {item for item, _ in collection.keywords.search("old new engine called Perkins Zephyr runs coal wind", 1000)},
    )


def ready_ids(collection: Collection) -> set[int]:
    return set(collection.catalog.chunks(range(1, 100_000)))


def consistent(collection: Collection) -> bool:
    """Whether both indexes hold exactly what the catalog gives out."""
    return indexed(collection) == (ready_ids(collection), ready_ids(collection))


@pytest.fixture
def collection(knowledge: Knowledge) -> Collection:
    return knowledge.collection(create=True)


def break_at(step: str, collection: Collection, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    store, method = step.split(".")

    def broken(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(getattr(collection, store), method, broken)


def test_a_document_is_in_all_three_stores_or_in_none(collection: Collection, knowledge: Knowledge) -> None:
    document_id = put(collection, OLD)

    assert consistent(collection) and ready_ids(collection)
    assert found(knowledge, "Perkins engine") == {"Perkins"}

    collection.remove([document_id])
    assert consistent(collection) and not ready_ids(collection)
    assert collection.catalog.garbage(collection.row.id) == []


def test_a_new_version_replaces_the_old_one_in_all_three(collection: Collection, knowledge: Knowledge) -> None:
    old = put(collection, OLD)
    put(collection, NEW, replaces=old)

    assert consistent(collection)
    assert found(knowledge, "engine runs Perkins Zephyr") == {"Zephyr"}


def test_the_old_version_answers_while_the_new_one_goes_in(collection: Collection, knowledge: Knowledge) -> None:
    old = put(collection, OLD)
    seen: list[set[str]] = []

    collection.put(
        file("a.txt", NEW),
        extracted(NEW),
        spans(NEW, 4),  # several rounds of embedding
        replaces=old,
        on_chunks=lambda done: seen.append(found(knowledge, "engine runs Perkins Zephyr")),
    )

    assert len(seen) > 1
    assert all(words == {"Perkins"} for words in seen)
    assert "Perkins" not in found(knowledge, "engine runs Perkins Zephyr")


@pytest.mark.parametrize(
    ("step", "error"), [*((step, RuntimeError("broken")) for step in STEPS), ("keywords.add", KeyboardInterrupt())]
)
def test_a_failure_at_any_step_leaves_the_old_version_and_nothing_half(
    collection: Collection, knowledge: Knowledge, step: str, error: BaseException
) -> None:
    old = put(collection, OLD)
    before = ready_ids(collection)

    with pytest.MonkeyPatch.context() as patch:
        break_at(step, collection, patch, error)
        with pytest.raises(type(error)):
            put(collection, NEW, replaces=old)

    assert ready_ids(collection) == before
    assert consistent(collection)
    assert found(knowledge, "engine runs Perkins Zephyr") == {"Perkins"}
    put(collection, NEW, replaces=old)
    assert consistent(collection)
    assert found(knowledge, "engine runs Perkins Zephyr") == {"Zephyr"}


@pytest.mark.parametrize("step", ["vectors.remove", "keywords.remove", "catalog.forget_garbage"])
def test_what_the_indexes_could_not_forget_is_still_never_returned_and_swept_at_the_next_start(
    collection: Collection, knowledge: Knowledge, open_again: Open, step: str
) -> None:
    gone = put(collection, OLD)
    put(collection, NEW, "b.txt")
    with pytest.MonkeyPatch.context() as patch:
        break_at(step, collection, patch, RuntimeError("broken"))
        with pytest.raises(RuntimeError, match="broken"):
            collection.remove([gone])

    assert found(knowledge, "engine runs Perkins Zephyr") == {"Zephyr"}

    later = open_again()
    later.recover()
    assert consistent(later.collection())
    assert later.collection().catalog.garbage(collection.row.id) == []


def test_garbage_that_cannot_be_swept_does_not_keep_the_product_from_starting(
    collection: Collection, knowledge: Knowledge, caplog: pytest.LogCaptureFixture
) -> None:
    gone = put(collection, OLD)
    put(collection, NEW, "b.txt")
    collection.catalog.remove_documents([gone])
    with pytest.MonkeyPatch.context() as patch:
        break_at("keywords.remove", collection, patch, RuntimeError("broken"))
        knowledge.recover()

    assert "could not be cleaned up" in caplog.text
    assert found(knowledge, "engine runs Perkins Zephyr") == {"Zephyr"}
    knowledge.recover()
    assert consistent(collection)


def test_the_reason_is_told_also_where_cleaning_up_fails_too(
    collection: Collection, open_again: Open, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        break_at("vectors.add", collection, patch, RuntimeError("the reason"))
        break_at("vectors.remove", collection, patch, RuntimeError("a consequence"))
        with caplog.at_level(logging.WARNING), pytest.raises(RuntimeError, match="the reason"):
            put(collection, NEW)

    assert "a consequence" in caplog.text
    later = open_again()
    later.recover()
    assert consistent(later.collection())


def test_a_catalog_that_cannot_shrink_loses_nothing(collection: Collection, knowledge: Knowledge) -> None:
    """Giving space back comes after the change; its failure must not undo a version that already answers."""
    old = put(collection, OLD)
    pages = collection.catalog._db.execute("PRAGMA page_count").fetchone()[0]
    statements: list[str] = []
    collection.catalog._db.set_trace_callback(statements.append)
    collection.catalog._db.execute(f"PRAGMA max_page_count = {pages + 500}")

    put(collection, NEW, replaces=old)

    assert any("incremental_vacuum" in statement for statement in statements)
    assert found(knowledge, "engine runs Perkins Zephyr") == {"Zephyr"}


def test_cancelling_undoes_the_document_at_hand(collection: Collection) -> None:
    class Cancelled(Exception):
        pass

    def cancel(done: int) -> None:
        if done:
            raise Cancelled

    put(collection, OLD, "kept.txt")
    before = ready_ids(collection)
    with pytest.raises(Cancelled):
        collection.put(file("a.txt", NEW), extracted(NEW), spans(NEW, 4), on_chunks=cancel)

    assert ready_ids(collection) == before
    assert consistent(collection)


def test_another_embedding_model_is_refused_by_name(collection: Collection, open_again: Open) -> None:
    put(collection, OLD)
    later = open_again(WordEmbedder("other words"))

    with pytest.raises(EmbedderMismatch) as caught:
        later.retriever()
    assert caught.value.message == ("Collection 'default' was built with words, but EMBEDDING_MODEL is other words.")
    assert "EMBEDDING_MODEL=words" in caught.value.hint and "--collection" in caught.value.hint
    assert later.documents() != []  # what needs no embedder still works


def test_the_same_model_under_another_name_is_accepted(collection: Collection, open_again: Open) -> None:
    put(collection, OLD)
    moved = WordEmbedder("words")
    moved.name = "/somewhere/else/words"

    class Moved(WordEmbedder):
        fingerprint = property(lambda self: WordEmbedder("words").fingerprint)  # type: ignore[assignment]

    assert open_again(Moved("/somewhere/else")).retriever() is not None


# the process dies

_CHILD = """
import os, signal, sys
from pathlib import Path
from app.config import load_settings
from app.knowledge.library import Knowledge
from tests.knowledge.parts import WordEmbedder

state, folder, step = sys.argv[1:]
knowledge = Knowledge(load_settings(data_dir=Path(state)))
knowledge.embedder = WordEmbedder()
collection = knowledge.collection(create=True)

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

if step != "any":
    store, method, when = step.split(".")
    original = getattr(getattr(collection, store), method)
    def dying(*args, **kwargs):
        if when == "after":
            original(*args, **kwargs)
        die()
    setattr(getattr(collection, store), method, dying)
print("begin", flush=True)
knowledge.ingest([Path(folder)])
print("end", flush=True)
"""


def child(settings: Settings, folder: Path, step: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(settings.data_dir), str(folder), step],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "step",
    [
        "vectors.add.after",
        "keywords.add.after",
        "catalog.make_ready.after",
        "keywords.remove.after",
    ],
)
def test_kill_9_at_any_step_leaves_one_whole_version(
    settings: Settings, folder: Path, open_again: Open, step: str
) -> None:
    (folder / "a.txt").write_text(OLD)
    first = open_again()
    first.ingest([folder])
    first.close()
    (folder / "a.txt").write_text(NEW)

    with child(settings, folder, step) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, errors

    later = open_again()
    words = {"Zephyr"} if step in ("catalog.make_ready.after", "keywords.remove.after") else {"Perkins"}
    assert found(later, "engine runs Perkins Zephyr") == words  # even before anything is cleaned up
    later.recover()
    assert found(later, "engine runs Perkins Zephyr") == words
    assert consistent(later.collection())
    later.ingest([folder])
    assert found(later, "engine runs Perkins Zephyr") == {"Zephyr"}
    assert consistent(later.collection())


def test_what_another_process_wrote_is_seen_after_opening_again(
    settings: Settings, folder: Path, open_again: Open
) -> None:
    for text in (OLD, NEW, OLD):
        for number in range(6):
            (folder / f"{number}.txt").write_text(text * (number + 1) + str(number))
        with child(settings, folder, "any") as process:
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors

        knowledge = open_again()
        assert consistent(knowledge.collection())
        knowledge.close()


def kill_after(delay: Callable[[], float], settings: Settings, folder: Path) -> None:
    with child(settings, folder, "any") as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay())
        process.kill()
        process.communicate()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_kills_at_any_moment(settings: Settings, folder: Path, open_again: Open) -> None:
    chance = random.Random(0)
    for turn in range(200):
        for number in range(6):
            (folder / f"{number}.txt").write_text((OLD, NEW)[turn % 2] * (number + 1) + str(number))
        kill_after(lambda: chance.uniform(0, 0.6), settings, folder)

        later = open_again()
        later.recover()
        collection = later.collection(create=True)
        assert consistent(collection)
        for info in later.documents():
            content = later.content(info.id, info.sha256)
            assert content is not None and content.text.strip()
        later.close()
    last = open_again()
    assert last.ingest([folder]).failed == []
    assert len(last.documents()) == 6
    assert consistent(last.collection())
