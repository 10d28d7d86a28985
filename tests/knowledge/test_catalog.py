"""The catalog: what is ready answers, all else does not; what is removed leaves no trace."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DataFolderError
from app.knowledge.catalog import Catalog
from app.knowledge.records import CollectionRow, packed, unpacked
from app.schema import ChunkSpan, ExtractedText, Heading, Page
from tests.knowledge.parts import bytes_below, extracted, file, spans

SECRET = "Zwischenprüfungsgeheimnis"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.sqlite3"


@pytest.fixture
def catalog(path: Path) -> Iterator[Catalog]:
    catalog = Catalog(path)
    yield catalog
    catalog.close()


@pytest.fixture
def row(catalog: Catalog) -> CollectionRow:
    return catalog.create_collection("default", "words", "abc", 48)


def add(
    catalog: Catalog, row: CollectionRow, name: str, text: str, replaces: int | None = None
) -> tuple[int, list[int]]:
    """A ready document in chunks of ten characters."""
    document_id, chunk_ids = catalog.add_pending(row.id, file(name, text), extracted(text), spans(text, 10))
    catalog.make_ready(document_id, replaces)
    return document_id, chunk_ids


# collections


def test_a_collection_remembers_its_embedder(catalog: Catalog, row: CollectionRow) -> None:
    catalog.create_collection("中文", "other", "def", 8)

    assert catalog.collection("default") == row == CollectionRow(row.id, "default", "words", "abc", 48)
    assert [item.name for item in catalog.collections()] == ["default", "中文"]
    assert catalog.collection("none") is None


def test_everything_is_there_again_after_a_restart(path: Path) -> None:
    first = Catalog(path)
    row = first.create_collection("default", "words", "abc", 48)
    text = "Zero \0 byte, 𠮷, 中文 and\r\nline ends"
    pages, headings = (Page(1, 0, 5), Page(2, 5, len(text))), (Heading(0, 1, "标题"),)
    document_id, ids = first.add_pending(
        row.id, file("a.txt", text), ExtractedText(text, pages, headings), [ChunkSpan(2, 9, 1, "标题")]
    )
    first.make_ready(document_id)
    first.close()

    second = Catalog(path)
    assert second.collections() == [row]
    assert second.content(document_id) == ExtractedText(text, pages, headings)
    chunk = second.chunks(ids)[ids[0]]
    assert (chunk.text, chunk.start, chunk.end, chunk.page, chunk.heading) == (text[2:9], 2, 9, 1, "标题")
    assert (chunk.doc, chunk.document_id, chunk.sha256) == ("a.txt", document_id, file("a.txt", text).sha256)
    second.close()


# what an older edition has left

_SINCE_THE_BEGINNING = """
CREATE TABLE collections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    embedder TEXT NOT NULL, embedder_sha256 TEXT NOT NULL, dimension INTEGER NOT NULL
);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER NOT NULL REFERENCES collections(id) ON DELETE CASCADE,
    doc TEXT NOT NULL, source TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, stamp TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'ready')),
    text TEXT NOT NULL, pages TEXT NOT NULL, headings TEXT NOT NULL, added_at TEXT NOT NULL
);
CREATE INDEX documents_by_source ON documents (collection_id, source);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER, heading TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX chunks_by_document ON chunks (document_id);
CREATE TABLE garbage (
    document_id INTEGER PRIMARY KEY, collection_id INTEGER NOT NULL, first_chunk INTEGER, last_chunk INTEGER
);
INSERT INTO collections VALUES (3, '项目', 'words', 'abc', 48);
INSERT INTO documents VALUES (7, 3, 'a.txt', '/docs/a.txt', 'aa', 9, '1:1', 'ready', '第一页。Second.',
    '[{"number": 1, "start": 0, "end": 4}, {"number": 2, "start": 4, "end": 11}]',
    '[{"start": 0, "level": 1, "title": "页"}]', '2026-01-01T00:00:00+00:00');
INSERT INTO documents VALUES (8, 3, 'b.txt', '/docs/b.txt', 'bb', 1, '1:1', 'pending', 'b', '[]', '[]', '2026');
INSERT INTO chunks VALUES (11, 7, 0, 6, 1, '页', '第一页。Se'), (12, 7, 4, 11, 2, '页', 'Second.'), (13, 8, 0, 1, NULL, '', 'b');
INSERT INTO garbage VALUES (5, 3, 8, 10);
PRAGMA user_version = 1;
"""  # noqa: E501


@pytest.fixture
def old(path: Path) -> Path:
    """A catalog as the first edition wrote it."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.executescript(_SINCE_THE_BEGINNING)
    return path


def test_all_that_an_older_catalog_holds_stays(old: Path) -> None:
    text = "第一页。Second."
    for _ in range(2):  # the second time it is up to date already
        with closing(Catalog(old)) as catalog:
            row = catalog.collection("项目")
            assert row == CollectionRow(3, "项目", "words", "abc", 48, "")
            assert [(info.id, info.doc, info.chunks) for info in catalog.documents(3)] == [(7, "a.txt", 2)]
            assert catalog.content(7) == ExtractedText(text, (Page(1, 0, 4), Page(2, 4, 11)), (Heading(0, 1, "页"),))
            chunks = catalog.chunks([11, 12, 13])
            assert {item: (chunk.text, chunk.page) for item, chunk in chunks.items()} == {
                11: ("第一页。Se", 1), 12: ("Second.", 2),
            }  # fmt: skip
            assert [list(item.chunk_ids) for item in catalog.garbage(3)] == [[8, 9, 10]]
            assert catalog.excerpt(7, 4, 11) == ("Second.", 2)
            assert catalog.chunk_ids(3) == [11, 12]
            assert {item: found.spans for item, found in catalog.sentences([11, 12]).items()} == {
                11: ((0, 6),), 12: ((4, 11),),
            }  # fmt: skip
            assert all(found.vectors is None for found in catalog.sentences([11, 12]).values())


def test_documents_of_an_older_edition_are_outdated_until_they_are_replaced(old: Path) -> None:
    with closing(Catalog(old)) as catalog:
        row = catalog.collection("项目")
        assert row is not None
        [outdated] = catalog.outdated(3)
        assert (outdated.document_id, outdated.doc, outdated.source, outdated.stamp) == (
            7, "a.txt", "/docs/a.txt", "1:1",
        )  # fmt: skip

        new, _ = add(catalog, row, "a.txt", "第一页。Second.", replaces=7)

        assert catalog.outdated(3) == []
        assert [info.id for info in catalog.documents(3)] == [new]
        assert new > 8
        assert sorted(item.document_id for item in catalog.garbage(3)) == [5, 7]


def test_an_upgrade_that_fails_changes_nothing(old: Path) -> None:
    with closing(sqlite3.connect(old)) as db:
        db.execute("ALTER TABLE chunks ADD COLUMN vectors BLOB")  # the last of the columns is there already

    with pytest.raises(DataFolderError, match="duplicate column name"):
        Catalog(old)

    with closing(sqlite3.connect(old)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        columns = [row[1] for row in db.execute("PRAGMA table_info(documents)")]
        assert "edition" not in columns
        assert db.execute("SELECT count(*) FROM chunks").fetchone() == (3,)


# sentences and what is measured


def test_sentences_and_their_vectors_are_kept_with_their_chunk(catalog: Catalog, row: CollectionRow) -> None:
    text = "One. Two. 三。"
    parts = ((0, 4), (5, 9), (10, 12))
    _, (first, second, plain) = catalog.add_pending(
        row.id,
        file("a.txt", text),
        extracted(text),
        [ChunkSpan(0, 9, sentences=parts[:2]), ChunkSpan(5, 12, sentences=parts[1:]), ChunkSpan(10, 12)],
    )
    vectors = np.array([[0.6, 0.8], [1.0, 0.0]], dtype=np.float32)

    catalog.keep_vectors([(first, vectors)])

    found = catalog.sentences([second, first, plain, 4711])
    assert {item: one.spans for item, one in found.items()} == {
        first: parts[:2], second: parts[1:], plain: ((10, 12),),
    }  # fmt: skip
    kept = found[first].vectors
    assert kept is not None and kept.dtype == np.float32
    assert kept == pytest.approx(vectors, abs=1e-3)
    assert found[second].vectors is None and found[plain].vectors is None


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)), max_size=20))
def test_spans_are_the_same_after_packing(parts: list[tuple[int, int]]) -> None:
    assert unpacked(packed(parts)) == tuple(parts)
    assert unpacked(None) == ()


def test_an_excerpt_is_code_points_of_a_ready_document_with_its_page(catalog: Catalog, row: CollectionRow) -> None:
    text = "Zero \0 byte, 𠮷, 中文😀 and\r\nline ends"
    pages = (Page(1, 0, 14), Page(2, 14, len(text)))
    document_id, _ = catalog.add_pending(row.id, file("a.txt", text), ExtractedText(text, pages), [])
    assert catalog.excerpt(document_id, 0, 5) is None
    catalog.make_ready(document_id)

    for start in range(len(text)):
        end = min(len(text), start + 7)
        assert catalog.excerpt(document_id, start, end) == (text[start:end], 1 if start < 14 else 2)
    catalog.remove_documents([document_id])
    assert catalog.excerpt(document_id, 0, 5) is None


def test_the_chunks_of_a_collection_are_those_that_can_answer(catalog: Catalog, row: CollectionRow) -> None:
    _, ids = add(catalog, row, "a.txt", "x" * 100)
    catalog.add_pending(row.id, file("b.txt", "b" * 25), extracted("b" * 25), spans("b" * 25, 10))
    other = catalog.create_collection("other", "words", "abc", 48)
    add(catalog, other, "c.txt", "c" * 50)
    _, more = add(catalog, row, "d.txt", "d" * 5)

    assert catalog.chunk_ids(row.id) == [*ids, *more]
    assert catalog.chunk_ids(4711) == []


def test_a_document_that_is_cut_anew_keeps_its_id_and_is_up_to_date_at_the_end(old: Path) -> None:
    with closing(Catalog(old)) as catalog:
        content = catalog.content(7)
        assert content is not None

        ids = catalog.recut(7, content, [ChunkSpan(0, 4, 1, "页", ((0, 4),)), ChunkSpan(4, 11, 2, "页", ((4, 11),))])

        assert [chunk.text for chunk in catalog.chunks(ids).values()] == ["第一页。", "Second."]
        assert catalog.chunk_ids(3) == ids and not {11, 12} & set(ids)
        assert [(item.document_id, list(item.chunk_ids)) for item in catalog.garbage(3)][1] == (7, [11, 12])
        assert [file.document_id for file in catalog.outdated(3)] == [7]
        catalog.up_to_date(7)
        assert catalog.outdated(3) == []
        assert catalog.content(7) == content


def test_what_is_measured_of_a_collection_is_kept(catalog: Catalog, row: CollectionRow) -> None:
    catalog.calibrate(row.id, '{"size": 3}')

    assert catalog.collection("default") == replace(row, calibration='{"size": 3}')


# pending and ready


def test_a_pending_document_is_seen_nowhere(catalog: Catalog, row: CollectionRow) -> None:
    document_id, ids = catalog.add_pending(
        row.id, file("a.txt", "hello there"), extracted("hello there"), spans("hello there", 4)
    )

    assert len(ids) == 3
    assert catalog.chunks(ids) == {}
    assert catalog.documents(row.id) == []
    assert catalog.sources(row.id) == {}
    assert catalog.content(document_id) is None
    assert catalog.file_of(document_id) is None
    assert catalog.garbage(row.id) == []


def test_a_ready_document_is_seen_everywhere(catalog: Catalog, row: CollectionRow) -> None:
    document_id, ids = add(catalog, row, "a.txt", "hello there")

    assert list(catalog.chunks(ids)) == ids
    assert [(info.doc, info.chunks, info.state, info.size) for info in catalog.documents(row.id)] == [
        ("a.txt", 2, "ready", 11)
    ]
    assert catalog.sources(row.id)["/docs/a.txt"].document_id == document_id
    assert catalog.file_of(document_id) == catalog.sources(row.id)["/docs/a.txt"]


def test_what_was_interrupted_is_dropped_and_becomes_garbage(catalog: Catalog, row: CollectionRow) -> None:
    kept, _ = add(catalog, row, "kept.txt", "stays")
    half, ids = catalog.add_pending(row.id, file("b.txt", "b" * 25), extracted("b" * 25), spans("b" * 25, 10))

    catalog.discard_pending()

    assert [info.id for info in catalog.documents(row.id)] == [kept]
    assert [(item.document_id, list(item.chunk_ids)) for item in catalog.garbage(row.id)] == [(half, ids)]
    with pytest.raises(sqlite3.IntegrityError):
        catalog._db.execute(
            "INSERT INTO chunks (document_id, start, \"end\", heading, text) VALUES (?, 0, 1, '', '')", (half,)
        )


def test_a_new_version_takes_over_in_one_step(catalog: Catalog, row: CollectionRow) -> None:
    old, old_ids = add(catalog, row, "a.txt", "the old text")
    new, new_ids = catalog.add_pending(
        row.id, file("a.txt", "the new text"), extracted("the new text"), spans("the new text", 6)
    )
    assert list(catalog.chunks([*old_ids, *new_ids])) == old_ids

    catalog.make_ready(new, replaces=old)

    assert list(catalog.chunks([*old_ids, *new_ids])) == new_ids
    assert [info.id for info in catalog.documents(row.id)] == [new]
    assert [item.document_id for item in catalog.garbage(row.id)] == [old]


def test_a_version_that_cannot_take_over_leaves_the_old_one(catalog: Catalog, row: CollectionRow) -> None:
    old, old_ids = add(catalog, row, "a.txt", "the old text")
    new, new_ids = catalog.add_pending(row.id, file("a.txt", "new"), extracted("new"), spans("new", 6))
    catalog._db.execute("CREATE TRIGGER stop BEFORE UPDATE ON documents BEGIN SELECT RAISE(ABORT, 'stopped'); END")

    with pytest.raises(sqlite3.IntegrityError, match="stopped"):
        catalog.make_ready(new, replaces=old)

    assert list(catalog.chunks([*old_ids, *new_ids])) == old_ids
    assert catalog.garbage(row.id) == []


def test_a_touched_file_keeps_its_document(catalog: Catalog, row: CollectionRow) -> None:
    document_id, ids = add(catalog, row, "a.txt", "hello")

    catalog.touch(document_id, "/moved/a.txt", 5, "2:2")

    assert list(catalog.chunks(ids)) == ids
    source = catalog.sources(row.id)["/moved/a.txt"]
    assert (source.document_id, source.stamp) == (document_id, "2:2")


# removal


def test_a_removed_document_is_gone_and_listed_as_garbage_until_it_is_forgotten(
    catalog: Catalog, row: CollectionRow
) -> None:
    one, ids = add(catalog, row, "a.txt", "a" * 35)
    two, others = add(catalog, row, "b.txt", "b" * 5)

    catalog.remove_documents([one])

    assert list(catalog.chunks([*ids, *others])) == others
    assert catalog.content(one) is None
    assert [(item.document_id, list(item.chunk_ids)) for item in catalog.garbage(row.id)] == [(one, ids)]
    catalog.forget_garbage([one, two])
    assert catalog.garbage(row.id) == []
    assert list(catalog.chunks(others)) == others


def test_removing_what_is_not_there_changes_nothing(catalog: Catalog, row: CollectionRow) -> None:
    add(catalog, row, "a.txt", "a")

    catalog.remove_documents([4711])

    assert len(catalog.documents(row.id)) == 1
    assert catalog.garbage(row.id) == []


def test_a_document_without_chunks_can_be_removed(catalog: Catalog, row: CollectionRow) -> None:
    document_id, _ = add(catalog, row, "empty.txt", "")

    catalog.remove_documents([document_id])

    assert [list(item.chunk_ids) for item in catalog.garbage(row.id)] == [[]]


def test_ids_are_never_used_again(catalog: Catalog, row: CollectionRow) -> None:
    """An index that still holds a removed chunk must not find another document under its id."""
    seen: set[int] = set()
    documents: set[int] = set()
    for _ in range(5):
        document_id, ids = add(catalog, row, "a.txt", "a" * 35)
        assert not seen & set(ids) and document_id not in documents
        seen |= set(ids)
        documents.add(document_id)
        catalog.remove_documents([document_id])


@pytest.mark.parametrize("way", ["remove", "replace", "interrupt"])
def test_no_trace_of_a_removed_text_is_left_in_the_files(
    catalog: Catalog, row: CollectionRow, tmp_path: Path, way: str
) -> None:
    kept, kept_ids = add(catalog, row, "kept.txt", "What stays behind. " * 400)
    text = f"{SECRET} " * 3000  # many pages, overflow pages among them
    if way == "interrupt":
        catalog.add_pending(row.id, file("s.txt", text), extracted(text), spans(text, 500))
        assert SECRET.encode() in bytes_below(tmp_path, "catalog.sqlite3*")
        catalog.discard_pending()
    else:
        document_id, _ = add(catalog, row, "s.txt", text)
        assert SECRET.encode() in bytes_below(tmp_path, "catalog.sqlite3*")
        if way == "remove":
            catalog.remove_documents([document_id])
        else:
            add(catalog, row, "s.txt", "harmless", replaces=document_id)

    assert SECRET.encode() not in bytes_below(tmp_path, "catalog.sqlite3*")
    assert len(catalog.chunks(kept_ids)) == len(kept_ids)
    assert catalog.content(kept) is not None


def test_the_space_of_a_removed_document_is_given_back(catalog: Catalog, row: CollectionRow, tmp_path: Path) -> None:
    before = len(bytes_below(tmp_path, "catalog.sqlite3*"))
    document_id, _ = add(catalog, row, "big.txt", "big " * 500_000)
    assert len(bytes_below(tmp_path, "catalog.sqlite3*")) > 2_000_000

    catalog.remove_documents([document_id])

    assert len(bytes_below(tmp_path, "catalog.sqlite3*")) < before + 100_000


# what can go wrong


def test_a_newer_catalog_is_refused_and_left_alone(path: Path) -> None:
    Catalog(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(DataFolderError, match=r"catalog\.sqlite3 was written by a newer Hotswap\."):
        Catalog(path)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (99,)
    db.close()


def test_a_file_that_is_no_database_is_told(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)

    with pytest.raises(DataFolderError, match="The catalog is damaged: file is not a database") as caught:
        Catalog(path)
    assert "DATA_DIR" in caught.value.hint


def test_a_file_that_cannot_be_opened_is_told(path: Path) -> None:
    path.mkdir()

    with pytest.raises(DataFolderError, match="The catalog could not be used: unable to open database file"):
        Catalog(path)


def test_a_catalog_that_is_read_only_is_told_and_still_read(catalog: Catalog, row: CollectionRow) -> None:
    _, ids = add(catalog, row, "a.txt", "hello")
    catalog._db.execute("PRAGMA query_only = ON")

    with pytest.raises(DataFolderError, match="readonly") as caught:
        add(catalog, row, "b.txt", "more")

    assert "writable" in caught.value.hint
    assert list(catalog.chunks(ids)) == ids


def test_a_full_disk_is_told_and_nothing_is_lost(catalog: Catalog, row: CollectionRow) -> None:
    document_id, ids = add(catalog, row, "a.txt", "hello")
    pages = catalog._db.execute("PRAGMA page_count").fetchone()[0]
    catalog._db.execute(f"PRAGMA max_page_count = {pages + 1}")
    big = "too much " * 10_000

    with pytest.raises(DataFolderError, match="full") as caught:
        add(catalog, row, "b.txt", big)

    assert "free space" in caught.value.hint
    assert [info.id for info in catalog.documents(row.id)] == [document_id]
    assert list(catalog.chunks(ids)) == ids
    catalog._db.execute(f"PRAGMA max_page_count = {pages + 1000}")
    add(catalog, row, "b.txt", big)  # and goes on once there is space again


def test_chunks_can_be_asked_for_in_any_number(catalog: Catalog, row: CollectionRow) -> None:
    _, ids = add(catalog, row, "a.txt", "x" * 100)

    assert catalog.chunks([]) == {}
    assert set(catalog.chunks([*ids, *range(1000, 300_000)])) == set(ids)


def test_readers_and_a_writer_do_not_meet(catalog: Catalog, row: CollectionRow) -> None:
    """A replaced document is always there exactly once, whoever looks."""
    current, _ = add(catalog, row, "a.txt", "version 0")
    counts: set[int] = set()
    errors: list[Exception] = []
    stop = threading.Event()

    def look() -> None:
        try:
            while not stop.is_set():
                counts.add(len(catalog.documents(row.id)))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for version in range(1, 20):
        current, _ = add(catalog, row, "a.txt", f"version {version}", replaces=current)
    stop.set()
    for thread in threads:
        thread.join()

    assert (counts, errors) == ({1}, [])
