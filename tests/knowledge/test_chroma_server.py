"""A Chroma server that is down, slow, or none at all: never a hang, never a silently worse answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from app.config import Settings, load_settings
from app.errors import VectorsUnavailable
from app.knowledge import chroma_server
from app.knowledge.vectors import VectorIndex, open_client
from tests.knowledge.chroma import ChromaProcess, serving
from tests.knowledge.folders import QUESTION, Folders, complete, stored
from tests.knowledge.parts import WordEmbedder
from tests.knowledge.test_collection import NEW, found, put, ready_ids

# down and back again


def test_a_search_while_it_is_down_says_so_and_works_again_afterwards(server: ChromaProcess, folders: Folders) -> None:
    knowledge = folders.filled(server.url)
    retriever = knowledge.retriever()
    assert found(knowledge, QUESTION) == {"Perkins", "Zephyr"}

    server.kill()
    for ask in (lambda: retriever.search(QUESTION), lambda: knowledge.retriever()):
        with pytest.raises(VectorsUnavailable, match=f"The Chroma server at {server.url} cannot be reached") as caught:
            ask()
        assert "chroma run" in caught.value.hint
    assert [info.doc for info in knowledge.documents()] == ["a.txt", "b.txt"]

    server.start()
    assert len(retriever.search(QUESTION, 50).passages) > 1
    assert found(knowledge, QUESTION) == {"Perkins", "Zephyr"}


def test_what_is_down_at_the_start_is_asked_on_first_use(server: ChromaProcess, folders: Folders) -> None:
    folders.filled(server.url).close()
    server.kill()

    knowledge = folders.open(server.url)
    knowledge.recover()
    assert len(knowledge.documents()) == 2
    with pytest.raises(VectorsUnavailable):
        knowledge.retriever()
    with pytest.raises(VectorsUnavailable):
        knowledge.ingest([folders.documents])

    server.start()
    assert complete(knowledge)


def test_an_ingestion_that_loses_it_keeps_what_was_there_and_names_each_file(
    server: ChromaProcess, folders: Folders
) -> None:
    knowledge = folders.filled(server.url)
    before = ready_ids(knowledge.collection())
    (folders.documents / "a.txt").write_text(NEW + "It was built in Bergen. ")
    (folders.documents / "c.txt").write_text("A third engine rests in a museum. " * 20)

    report = knowledge.ingest([folders.documents], on_progress=lambda progress: server.kill())

    assert [Path(failure.path).name for failure in report.failed] == ["a.txt", "c.txt"]
    assert all(server.url in failure.error and failure.hint for failure in report.failed)
    assert (report.added, report.updated, report.unchanged) == (0, 0, 1)
    assert ready_ids(knowledge.collection()) == before

    server.start()
    assert complete(knowledge) and found(knowledge, QUESTION) == {"Perkins", "Zephyr"}
    again = knowledge.ingest([folders.documents])
    assert (again.added, again.updated, again.failed) == (1, 1, [])
    assert complete(knowledge) and found(knowledge, QUESTION) == {"Zephyr"}


def test_the_rest_of_an_ingestion_does_not_wait_for_it_again(
    server: ChromaProcess, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    knowledge = folders.filled(server.url)
    for number in range(20):
        (folders.documents / f"{number}.txt").write_text(f"Engine number {number} stands still. " * 9)
    monkeypatch.setattr(chroma_server, "SECONDS", 0.5)

    began = time.monotonic()
    with server.held_up():
        report = knowledge.ingest([folders.documents])

    assert len(report.failed) == 20 and "did not answer in time" in report.failed[-1].error
    assert time.monotonic() - began < 6


def test_a_new_version_that_is_whole_stays_when_the_old_one_cannot_be_swept(
    server: ChromaProcess, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    knowledge = folders.filled(server.url)
    collection = knowledge.collection()
    old = next(info.id for info in knowledge.documents() if info.doc == "a.txt")
    make_ready = collection.catalog.make_ready
    monkeypatch.setattr(collection.catalog, "make_ready", lambda *given: (make_ready(*given), server.kill()))

    put(collection, NEW, replaces=old)

    server.start()
    assert complete(knowledge) and found(knowledge, QUESTION) == {"Zephyr"}
    assert collection.catalog.garbage(collection.row.id) == []


# removal


def test_what_is_removed_is_gone_from_the_server(server: ChromaProcess, folders: Folders) -> None:
    knowledge = folders.filled(server.url)
    assert sorted(stored(server, knowledge)["collection-1"], key=int) == sorted(
        map(str, ready_ids(knowledge.collection())), key=int
    )

    knowledge.remove(["a.txt"])
    assert set(stored(server, knowledge)["collection-1"]) == set(map(str, ready_ids(knowledge.collection())))
    knowledge.remove(["b.txt"])
    assert stored(server, knowledge) == {"collection-1": []}

    knowledge.collection().vectors.destroy()
    assert stored(server, knowledge) == {}


def test_what_is_removed_while_it_is_down_goes_once_it_is_back(
    server: ChromaProcess, folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    knowledge = folders.filled(server.url)
    server.kill()

    assert [file.doc for file in knowledge.remove(["a.txt"])] == ["a.txt"]
    assert [info.doc for info in knowledge.documents()] == ["b.txt"]
    assert "deleted later" in caplog.text

    server.start()
    assert len(stored(server, knowledge)["collection-1"]) > len(ready_ids(knowledge.collection()))
    assert found(knowledge, QUESTION) == {"Zephyr"}
    assert set(stored(server, knowledge)["collection-1"]) == set(map(str, ready_ids(knowledge.collection())))


# servers that are none


@contextmanager
def index(settings: Settings) -> Iterator[VectorIndex]:
    with closing(open_client(settings)) as client:
        yield VectorIndex(client, "collection-1")


def problem(settings: Settings) -> VectorsUnavailable:
    with index(settings) as vectors, pytest.raises(VectorsUnavailable) as caught:
        vectors.count()
    assert caught.value.hint and "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>Welcome</html>", r"answers \(HTTP 200\), but not as a Chroma server of version 1"),
        (200, b'{"id": "x"}', r"answers \(HTTP 200\), but not as a Chroma server"),
        (200, b"[]", r"answers \(HTTP 200\), but not as a Chroma server"),
        (404, b'{"detail": "Not Found"}', r"answers \(HTTP 404\), but not as a Chroma server"),
        (301, b"", r"answers \(HTTP 301\), but not as a Chroma server"),
        (401, b"{}", r"lets nobody in so\. Set CHROMA_TOKEN"),
        (502, b"<html>Bad Gateway</html>", r"failed: HTTP 502"),
        (500, b'{"error": "InternalError", "message": "disk\\nfull"}', r"failed: disk full"),
    ],
)
def test_a_server_that_is_no_chroma_or_a_broken_one_is_told(
    tmp_path: Path, status: int, body: bytes, message: str
) -> None:
    with serving(status, body) as (url, got):
        error = problem(load_settings(data_dir=tmp_path, chroma_url=url, chroma_token="s3cret"))
    assert error.code == "vectors_unavailable"
    with pytest.raises(VectorsUnavailable, match=message):
        raise error
    assert got[0]["authorization"] == "Bearer s3cret"
    assert "s3cret" not in str(error) + repr(load_settings(chroma_token="s3cret"))


@pytest.mark.parametrize("reply", [b"7.5", b'{"ids": [["1"]]}', b'{"ids": [], "distances": []}', b"null"])
def test_replies_of_another_shape_are_no_answers(
    tmp_path: Path, server: ChromaProcess, monkeypatch: pytest.MonkeyPatch, reply: bytes
) -> None:
    with index(load_settings(data_dir=tmp_path, chroma_url=server.url)) as vectors:
        vectors.count()
        monkeypatch.setattr(chroma_server.ChromaServer, "_read", lambda *given: (200, reply))

        with pytest.raises(VectorsUnavailable, match="not as a Chroma server"):
            vectors.search(WordEmbedder().embed(["x"])[0], 3)


def test_a_server_that_holds_the_line_is_not_waited_for(
    tmp_path: Path, server: ChromaProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma_server, "SECONDS", 0.5)
    settings = load_settings(data_dir=tmp_path, chroma_url=server.url)
    began = time.monotonic()

    with server.held_up():
        assert "did not answer in time" in problem(settings).message
    with serving(200, json.dumps({"id": "x" * 100}).encode(), drip=True) as (url, _):
        problem(load_settings(data_dir=tmp_path, chroma_url=url))

    assert time.monotonic() - began < 4
    with index(settings) as vectors:
        assert vectors.count() == 0


def test_an_impossible_address_is_told(tmp_path: Path) -> None:
    for url in ("http://", "http://127.0.0.1:port", "http://nowhere.invalid:8000", "http://127.0.0.1:99999"):
        problem(load_settings(data_dir=tmp_path, chroma_url=url))
    error = problem(load_settings(data_dir=tmp_path, chroma_url="http://me:s3cret@127.0.0.1:9"))
    assert "127.0.0.1:9 cannot be reached" in error.message and "s3cret" not in str(error)


def test_offline_refuses_a_server_elsewhere_and_takes_one_here(tmp_path: Path, server: ChromaProcess) -> None:
    error = problem(load_settings(data_dir=tmp_path, chroma_url="http://192.0.2.1:8000", offline=True))
    assert error.message == "OFFLINE is set, and 192.0.2.1 is another machine."
    assert "CHROMA_URL" in error.hint

    with index(load_settings(data_dir=tmp_path, chroma_url=server.url, offline=True)) as vectors:
        assert vectors.count() == 0
