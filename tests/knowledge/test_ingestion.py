"""Folders into a collection: what is new, changed, gone, doubled, broken or oddly named."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from app.errors import CollectionError, DataFolderError, DocumentMissing, EmbedderMismatch
from app.knowledge import ingestion
from app.knowledge.library import Knowledge
from app.schema import IngestReport, Progress
from tests.knowledge.conftest import Open
from tests.knowledge.parts import WordEmbedder


def counts(report: IngestReport) -> tuple[int, int, int, int, int]:
    """added, updated, unchanged, removed, failed"""
    return report.added, report.updated, report.unchanged, report.removed, len(report.failed)


def docs(knowledge: Knowledge, name: str | None = None) -> dict[str, str]:
    """The documents of a collection with their text."""
    listed = {}
    for info in knowledge.documents(name):
        content = knowledge.content(info.id, info.sha256)
        assert content is not None
        listed[info.doc] = content.text.strip()
    return listed


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# what changes


def test_a_folder_is_added_and_then_unchanged(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "a.md", "# Apples\n\nApples are red.")
    write(folder / "sub" / "b.txt", "Bananas are yellow.")

    first, second = knowledge.ingest([folder]), knowledge.ingest([folder])

    assert counts(first) == (2, 0, 0, 0, 0)
    assert first.chunks == 2 and first.seconds > 0
    assert counts(second) == (0, 0, 2, 0, 0)
    assert second.chunks == 0
    assert docs(knowledge) == {"a.md": "# Apples\n\nApples are red.", "sub/b.txt": "Bananas are yellow."}


def test_only_what_changed_is_read_again(knowledge: Knowledge, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "a.txt", "one")
    write(folder / "b.txt", "two")
    knowledge.ingest([folder])
    write(folder / "b.txt", "two, and more")
    write(folder / "c.txt", "three")
    seen: list[str] = []
    original = ingestion.read
    monkeypatch.setattr(ingestion, "read", lambda path: seen.append(path.name) or original(path))

    report = knowledge.ingest([folder])

    assert counts(report) == (1, 1, 1, 0, 0)
    assert seen == ["b.txt", "c.txt"]
    assert docs(knowledge) == {"a.txt": "one", "b.txt": "two, and more", "c.txt": "three"}


def test_a_file_written_again_with_the_same_content_is_unchanged(knowledge: Knowledge, folder: Path) -> None:
    path = write(folder / "a.txt", "one")
    knowledge.ingest([folder])
    os.utime(path, ns=(1, 1))
    embedder = knowledge.embedder
    assert isinstance(embedder, WordEmbedder)
    calls = embedder.calls

    assert counts(knowledge.ingest([folder])) == (0, 0, 1, 0, 0)
    assert counts(knowledge.ingest([folder])) == (0, 0, 1, 0, 0)
    assert embedder.calls == calls


def test_a_file_of_the_same_size_and_time_but_other_content_is_updated(knowledge: Knowledge, folder: Path) -> None:
    path = write(folder / "a.txt", "one")
    os.utime(path, ns=(1, 1))
    knowledge.ingest([folder])
    path.write_text("two")
    os.utime(path, ns=(1, 1))

    assert counts(knowledge.ingest([folder])) == (0, 1, 0, 0, 0)
    assert docs(knowledge) == {"a.txt": "two"}


def test_what_is_gone_from_a_folder_goes(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "a.txt", "one")
    gone = write(folder / "sub" / "b.txt", "two")
    knowledge.ingest([folder])
    gone.unlink()

    assert counts(knowledge.ingest([folder])) == (0, 0, 1, 1, 0)
    assert docs(knowledge) == {"a.txt": "one"}
    assert all("two" not in passage.text for passage in knowledge.retriever().search("two", 10).passages)


def test_a_file_outside_the_folder_stays(knowledge: Knowledge, folder: Path, tmp_path: Path) -> None:
    write(folder / "a.txt", "one")
    other = write(tmp_path / "documents-2" / "b.txt", "two")  # a name that begins like the folder's
    single = write(tmp_path / "single.txt", "three")
    knowledge.ingest([folder, other.parent, single])
    single.unlink()
    other.unlink()

    assert counts(knowledge.ingest([folder])) == (0, 0, 1, 0, 0)
    assert set(docs(knowledge)) == {"a.txt", "b.txt", "single.txt"}
    assert counts(knowledge.ingest([other.parent])) == (0, 0, 0, 1, 0)
    assert set(docs(knowledge)) == {"a.txt", "single.txt"}


def test_a_renamed_file_is_one_document_under_its_new_name(knowledge: Knowledge, folder: Path) -> None:
    path = write(folder / "old.txt", "one")
    knowledge.ingest([folder])
    path.rename(folder / "new.txt")

    assert counts(knowledge.ingest([folder])) == (1, 0, 0, 1, 0)
    assert docs(knowledge) == {"new.txt": "one"}


def test_a_folder_that_moved_takes_its_documents_along(knowledge: Knowledge, folder: Path, tmp_path: Path) -> None:
    write(folder / "a.txt", "one")
    knowledge.ingest([folder])
    moved = folder.rename(tmp_path / "moved")

    assert counts(knowledge.ingest([moved])) == (0, 0, 1, 0, 0)
    write(moved / "a.txt", "one, changed")
    assert counts(knowledge.ingest([moved])) == (0, 1, 0, 0, 0)
    assert docs(knowledge) == {"a.txt": "one, changed"}


# the same twice


def test_the_same_content_twice_is_one_document(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "a.txt", "one")
    write(folder / "b.txt", "one")

    assert counts(knowledge.ingest([folder])) == (1, 0, 1, 0, 0)
    assert counts(knowledge.ingest([folder])) == (0, 0, 2, 0, 0)
    assert docs(knowledge) == {"a.txt": "one"}


def test_when_one_of_two_twins_goes_the_other_stands_in(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "a.txt", "one")
    write(folder / "b.txt", "one")
    knowledge.ingest([folder])
    (folder / "a.txt").unlink()

    assert counts(knowledge.ingest([folder])) == (1, 0, 0, 1, 0)
    assert docs(knowledge) == {"b.txt": "one"}


@pytest.mark.parametrize("stored", ["a.txt", "b.txt"])
def test_when_one_of_two_twins_changes_both_contents_are_there(knowledge: Knowledge, folder: Path, stored: str) -> None:
    write(folder / stored, "one")
    knowledge.ingest([folder])
    for name in ("a.txt", "b.txt"):
        write(folder / name, "one")
    knowledge.ingest([folder])
    write(folder / stored, "another")

    assert counts(knowledge.ingest([folder])) == (1, 1, 0, 0, 0)
    assert sorted(docs(knowledge).values()) == ["another", "one"]
    assert counts(knowledge.ingest([folder])) == (0, 0, 2, 0, 0)


def test_two_files_that_become_the_same_become_one_document(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "a.txt", "one")
    write(folder / "b.txt", "two")
    knowledge.ingest([folder])
    write(folder / "b.txt", "one")

    assert counts(knowledge.ingest([folder])) == (0, 0, 2, 1, 0)
    assert docs(knowledge) == {"a.txt": "one"}
    assert counts(knowledge.ingest([folder])) == (0, 0, 2, 0, 0)


def test_two_files_that_swap_their_contents_are_both_there(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "a.txt", "one")
    write(folder / "b.txt", "two")
    knowledge.ingest([folder])
    write(folder / "a.txt", "two")
    write(folder / "b.txt", "one")

    assert counts(knowledge.ingest([folder])) == (0, 2, 0, 0, 0)
    assert docs(knowledge) == {"a.txt": "two", "b.txt": "one"}


def test_a_file_that_takes_the_place_of_a_moved_one_leaves_one_document(
    knowledge: Knowledge, folder: Path, tmp_path: Path
) -> None:
    write(tmp_path / "elsewhere" / "x.txt", "new")
    write(folder / "a.txt", "old")
    knowledge.ingest([folder, tmp_path / "elsewhere"])
    shutil.move(tmp_path / "elsewhere" / "x.txt", folder / "a.txt")

    assert counts(knowledge.ingest([folder])) == (0, 0, 1, 1, 0)
    assert list(docs(knowledge).values()) == ["new"]
    assert counts(knowledge.ingest([folder])) == (0, 0, 1, 0, 0)


def test_a_removed_document_comes_back_under_another_name(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "a.txt", "one")
    knowledge.ingest([folder])
    knowledge.remove(["a.txt"])
    (folder / "a.txt").rename(folder / "b.txt")

    assert counts(knowledge.ingest([folder])) == (1, 0, 0, 0, 0)
    assert docs(knowledge) == {"b.txt": "one"}


def test_the_same_name_in_two_folders_makes_two_names(knowledge: Knowledge, tmp_path: Path) -> None:
    for number, name in enumerate(("red/guide", "blue/guide", "green/guide")):
        write(tmp_path / name / "readme.txt", f"number {number}")
        assert counts(knowledge.ingest([tmp_path / name])) == (1, 0, 0, 0, 0)

    names = docs(knowledge)

    assert names.pop("readme.txt") == "number 0"
    assert names.pop("guide/readme.txt") == "number 1"
    assert names == {str(tmp_path / "green/guide/readme.txt"): "number 2"}
    write(tmp_path / "blue/guide" / "readme.txt", "changed")
    knowledge.ingest([tmp_path / "blue/guide"])
    assert docs(knowledge)["guide/readme.txt"] == "changed"


def test_a_file_named_twice_is_read_once(knowledge: Knowledge, folder: Path) -> None:
    path = write(folder / "sub" / "a.txt", "one")

    assert counts(knowledge.ingest([folder, path, folder / "sub"])) == (1, 0, 0, 0, 0)
    assert set(docs(knowledge)) == {"sub/a.txt"}


# what cannot be read


def test_bad_files_are_reported_and_the_rest_goes_in(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "good.txt", "good")
    write(folder / "empty.txt", "")
    write(folder / "blank.md", " \n\n ")
    (folder / "garbage.pdf").write_bytes(b"\x00\xff" * 500)
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 50)
    (folder / "picture.xyz").write_bytes(b"\x89PNG")
    os.mkfifo(folder / "pipe.txt")
    (folder / "loop.txt").symlink_to(folder / "loop.txt")
    (folder / "dangling.txt").symlink_to(folder / "nothing.txt")

    report = knowledge.ingest([folder])

    assert counts(report) == (1, 0, 0, 0, 8)
    assert {Path(failure.path).name for failure in report.failed} == {
        "empty.txt", "blank.md", "garbage.pdf", "binary.txt", "picture.xyz", "pipe.txt", "loop.txt", "dangling.txt",
    }  # fmt: skip
    for failure in report.failed:
        assert failure.path == str(folder / Path(failure.path).name)
        assert Path(failure.path).name in failure.error and failure.error.endswith(".")
        assert failure.hint
    assert docs(knowledge) == {"good.txt": "good"}
    assert counts(knowledge.ingest([folder])) == (0, 0, 1, 0, 8)


def test_a_file_that_may_not_be_read_is_reported(
    knowledge: Knowledge, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "a.txt", "one")
    write(folder / "b.txt", "two")
    original = Path.open

    def guarded(self: Path, *args: object, **kwargs: object) -> object:  # root may read anything, whatever the mode
        if self.name == "a.txt":
            raise PermissionError(13, "Permission denied", str(self))
        return original(self, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", guarded)

    report = knowledge.ingest([folder])

    assert counts(report) == (1, 0, 0, 0, 1)
    assert report.failed[0].error == "a.txt cannot be read: Permission denied."


def test_the_fault_of_a_library_keeps_no_other_file_out(
    knowledge: Knowledge, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "a.txt", "one")
    write(folder / "b.txt", "two")
    original = ingestion.read

    def faulty(path: Path) -> object:
        if path.name == "a.txt":
            raise RecursionError("too deep")
        return original(path)

    monkeypatch.setattr(ingestion, "read", faulty)

    report = knowledge.ingest([folder])

    assert counts(report) == (1, 0, 0, 0, 1)
    assert report.failed[0].error == "a.txt could not be read: RecursionError."


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02" * 100])
def test_a_file_that_became_unreadable_keeps_its_earlier_version(
    knowledge: Knowledge, folder: Path, content: bytes
) -> None:
    path = write(folder / "a.txt", "The Perkins engine.")
    knowledge.ingest([folder])
    path.write_bytes(content)

    report = knowledge.ingest([folder])

    assert counts(report) == (0, 0, 0, 0, 1)
    assert docs(knowledge) == {"a.txt": "The Perkins engine."}
    assert knowledge.retriever().search("Perkins", 5).passages[0].doc == "a.txt"


def test_an_unreadable_folder_loses_nothing(
    knowledge: Knowledge, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "a.txt", "one")
    closed = write(folder / "closed" / "b.txt", "two").parent
    gone = write(folder / "c.txt", "three")
    knowledge.ingest([folder])
    gone.unlink()
    scandir, isfile = os.scandir, os.path.isfile

    def guarded(path: str) -> object:
        if str(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    monkeypatch.setattr(os.path, "isfile", lambda path: not str(path).startswith(str(closed)) and isfile(path))

    report = knowledge.ingest([folder])

    assert counts(report) == (0, 0, 1, 1, 1)
    assert report.failed[0].error == f"The folder {closed} cannot be read: Permission denied."
    assert docs(knowledge) == {"a.txt": "one", "closed/b.txt": "two"}


def test_a_missing_path_changes_nothing(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "a.txt", "one")

    with pytest.raises(DocumentMissing, match=r"There is no file or folder .*nothing-here") as caught:
        knowledge.ingest([folder, folder / "nothing-here"])

    assert "nothing was changed" in caught.value.hint
    assert knowledge.names() == []


def test_a_full_disk_stops_with_a_reason_and_keeps_what_is_in(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "a.txt", "one")
    knowledge.ingest([folder])
    database: sqlite3.Connection = knowledge.collection().catalog._db
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages + 1}")
    write(folder / "b.txt", "too much " * 20_000)

    with pytest.raises(DataFolderError, match="full"):
        knowledge.ingest([folder])

    assert docs(knowledge) == {"a.txt": "one"}


def test_another_embedding_model_changes_nothing(knowledge: Knowledge, folder: Path, open_again: Open) -> None:
    write(folder / "a.txt", "one")
    knowledge.ingest([folder])
    (folder / "a.txt").unlink()
    write(folder / "b.txt", "two")

    with pytest.raises(EmbedderMismatch):
        open_again(WordEmbedder("other")).ingest([folder])

    assert docs(knowledge) == {"a.txt": "one"}


# what is not looked at


def test_hidden_files_and_folders_are_left_alone(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "a.txt", "one")
    write(folder / ".hidden.txt", "two")
    write(folder / ".git" / "c.txt", "three")

    assert counts(knowledge.ingest([folder])) == (1, 0, 0, 0, 0)


def test_a_hidden_file_that_is_named_goes_in_and_stays(knowledge: Knowledge, folder: Path) -> None:
    path = write(folder / ".notes.txt", "two")

    assert counts(knowledge.ingest([path])) == (1, 0, 0, 0, 0)
    assert counts(knowledge.ingest([folder])) == (0, 0, 0, 0, 0)
    assert set(docs(knowledge)) == {".notes.txt"}
    path.unlink()
    assert counts(knowledge.ingest([folder])) == (0, 0, 0, 1, 0)


def test_the_data_folder_inside_the_folder_is_left_alone(knowledge: Knowledge, tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "one")
    upload = write(knowledge.folder / "uploads" / "default" / "sent.txt", "two")
    knowledge.ingest([upload])

    assert counts(knowledge.ingest([tmp_path])) == (1, 0, 0, 0, 0)
    assert docs(knowledge) == {"a.txt": "one", "sent.txt": "two"}


def test_the_data_folder_is_known_by_any_path(knowledge: Knowledge, tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "one")
    write(knowledge.folder / "uploads" / "x.txt", "two")
    alias = tmp_path.parent / f"{tmp_path.name}-alias"
    alias.symlink_to(tmp_path)

    assert counts(knowledge.ingest([alias])) == (1, 0, 0, 0, 0)
    alias.unlink()


def test_links_that_lead_in_circles_are_not_followed(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "sub" / "a.txt", "one")
    (folder / "sub" / "round").symlink_to(folder)

    assert counts(knowledge.ingest([folder])) == (1, 0, 0, 0, 0)


def test_a_link_to_a_file_is_read(knowledge: Knowledge, folder: Path, tmp_path: Path) -> None:
    (folder / "linked.txt").symlink_to(write(tmp_path / "target.txt", "one"))

    assert counts(knowledge.ingest([folder])) == (1, 0, 0, 0, 0)
    assert docs(knowledge) == {"linked.txt": "one"}


# odd names


@pytest.mark.parametrize(
    "name",
    [
        "使用 指南（第一版）.txt",
        "ünï.txt",
        "a b\tc.txt",
        "'quote\".txt",
        "%s {x} *.txt",
        "-rf.txt",
        "e\u0301.txt",
        "😀.txt",
    ],
)
def test_any_name_works(knowledge: Knowledge, folder: Path, name: str) -> None:
    write(folder / name, "one")

    assert counts(knowledge.ingest([folder])) == (1, 0, 0, 0, 0)
    assert counts(knowledge.ingest([folder])) == (0, 0, 1, 0, 0)
    assert docs(knowledge) == {name: "one"}
    assert [file.doc for file in knowledge.remove([name])] == [name]


def test_names_that_are_no_text_are_spelt_out(knowledge: Knowledge, folder: Path) -> None:
    root = os.fsencode(folder)
    for name, content in ((b"bad\xff.txt", b"one"), (b"empty\xfe.txt", b"")):
        with open(os.path.join(root, name), "wb") as target:
            target.write(content)

    first, second = knowledge.ingest([folder]), knowledge.ingest([folder])

    assert (counts(first), counts(second)) == ((1, 0, 0, 0, 1), (0, 0, 1, 0, 1))
    assert docs(knowledge) == {"bad\\xff.txt": "one"}
    for text in (first.failed[0].path, first.failed[0].error, *docs(knowledge)):
        text.encode("utf-8")
    os.unlink(os.path.join(root, b"bad\xff.txt"))
    assert counts(knowledge.ingest([folder])) == (0, 0, 0, 1, 1)


# progress


def test_progress_counts_files_and_names_the_one_at_hand(knowledge: Knowledge, folder: Path) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        write(folder / name, f"the text of {name}")
    told: list[Progress] = []

    knowledge.ingest([folder], None, told.append)

    reading = [(step.done, step.total, step.item) for step in told if step.stage == "reading"]
    assert reading == [(0, 3, "a.txt"), (1, 3, "b.txt"), (2, 3, "c.txt")]
    assert [step.item for step in told if step.stage == "embedding"] == ["a.txt", "b.txt", "c.txt"]
    assert told[-1] == Progress("done", 3, 3)


def test_cancelling_keeps_the_files_before_and_undoes_the_one_at_hand(knowledge: Knowledge, folder: Path) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        write(folder / name, f"the text of {name}")

    class Cancelled(Exception):
        pass

    def cancel(step: Progress) -> None:
        if step.stage == "embedding" and step.item == "b.txt":
            raise Cancelled

    with pytest.raises(Cancelled):
        knowledge.ingest([folder], None, cancel)

    assert set(docs(knowledge)) == {"a.txt"}
    assert counts(knowledge.ingest([folder])) == (2, 0, 1, 0, 0)


# collections and removal


def test_collections_are_apart(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "a.txt", "one")

    assert counts(knowledge.ingest([folder])) == (1, 0, 0, 0, 0)
    assert counts(knowledge.ingest([folder], "项目 1")) == (1, 0, 0, 0, 0)
    knowledge.remove(["a.txt"])

    assert knowledge.names() == ["default", "项目 1"]
    assert docs(knowledge) == {}
    assert docs(knowledge, "项目 1") == {"a.txt": "one"}


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a" * 64, "new\nline", "-x"])
def test_a_name_that_is_no_collection_name_is_refused(knowledge: Knowledge, folder: Path, name: str) -> None:
    with pytest.raises(CollectionError, match="cannot be called") as caught:
        knowledge.ingest([folder], name)
    assert "letters" in caught.value.hint
    assert knowledge.names() == []


def test_an_unknown_collection_is_told_with_what_there_is(knowledge: Knowledge, folder: Path) -> None:
    with pytest.raises(CollectionError, match="no collection 'default'") as caught:
        knowledge.retriever()
    assert "ingest" in caught.value.hint
    assert knowledge.documents() == []

    knowledge.ingest([folder], "mine")
    with pytest.raises(CollectionError, match="no collection 'yours'") as caught:
        knowledge.documents("yours")
    assert "mine" in caught.value.hint


def test_removing_is_all_or_nothing(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "a.txt", "one")
    write(folder / "b.txt", "two")
    knowledge.ingest([folder])

    with pytest.raises(DocumentMissing, match=r"no document 'c\.txt'"):
        knowledge.remove(["a.txt", "c.txt"])
    assert set(docs(knowledge)) == {"a.txt", "b.txt"}
    assert [file.doc for file in knowledge.remove(["a.txt", "a.txt"])] == ["a.txt"]
    assert set(docs(knowledge)) == {"b.txt"}
    assert (folder / "a.txt").exists()


def test_a_version_that_is_gone_has_no_content(knowledge: Knowledge, folder: Path) -> None:
    write(folder / "a.txt", "one")
    knowledge.ingest([folder])
    [info] = knowledge.documents()

    assert knowledge.content(info.id, "0" * 64) is None
    assert knowledge.content(info.id + 1, info.sha256) is None
    write(folder / "a.txt", "two")
    knowledge.ingest([folder])
    assert knowledge.content(info.id, info.sha256) is None
    assert knowledge.file(info.id) is None


def test_a_data_folder_that_cannot_be_used_is_told(tmp_path: Path, open_again: Open, knowledge: Knowledge) -> None:
    knowledge.close()
    shutil.rmtree(knowledge.folder)
    knowledge.folder.write_text("a file in its place")

    with pytest.raises(DataFolderError, match="cannot be used: ") as caught:
        open_again()
    assert "DATA_DIR" in caught.value.hint
