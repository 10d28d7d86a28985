"""The front door: which files are read, and every way in which a path can be wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import DamagedDocument, DocumentMissing, EmptyDocument, ProtectedDocument, UnsupportedFormat
from app.readers import SUFFIXES, files, is_supported, read, read_bytes


def test_reads_a_file_as_from_memory(tmp_path: Path) -> None:
    path = tmp_path / "Note.TXT"
    path.write_bytes("第一行\r\nsecond line\n".encode())
    assert read(path) == read_bytes("Note.TXT", path.read_bytes())
    assert read(path).text == "第一行\r\nsecond line\n"


def test_suffixes_are_lower_case_with_a_dot() -> None:
    assert {".txt", ".md", ".csv", ".html", ".pdf", ".docx"} <= SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)


@pytest.mark.parametrize("name", ["a.txt", "b.PDF", "c.tar.md", "报告.docx", "x/y.htm"])
def test_supported(name: str) -> None:
    assert is_supported(name)
    assert is_supported(Path(name))


@pytest.mark.parametrize("name", ["a", "a.xlsx", "txt", ".txt", "~$report.docx", "folder/._notes.md", ""])
def test_not_supported(name: str) -> None:
    assert not is_supported(name)
    with pytest.raises(UnsupportedFormat):
        read_bytes(name, b"text")


def test_unsupported_names_the_file_and_the_kinds_that_are_read() -> None:
    with pytest.raises(UnsupportedFormat) as caught:
        read_bytes("sheet.xlsx", b"")
    assert "sheet.xlsx" in caught.value.message
    assert ".docx" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b" \r\n\t\n", "\u3000\n".encode(), b"\xef\xbb\xbf", b"\xff\xfe"])
@pytest.mark.parametrize("suffix", [".txt", ".md", ".csv", ".html"])
def test_blank_files_are_empty(suffix: str, data: bytes) -> None:
    with pytest.raises(EmptyDocument) as caught:
        read_bytes(f"blank{suffix}", data)
    assert f"blank{suffix}" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("suffix", [".pdf", ".docx"])
def test_files_of_no_bytes_are_empty(suffix: str) -> None:
    with pytest.raises(EmptyDocument):
        read_bytes(f"blank{suffix}", b"")


def test_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "no.txt", tmp_path / "no" / "no.txt", Path("nul\0.txt")):
        with pytest.raises(DocumentMissing):
            read(path)
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(DocumentMissing):
        read(tmp_path / "file.txt" / "below.txt")


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(DamagedDocument, match="could not be read"):
        read(tmp_path / ("n" * 300 + ".txt"))


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    with pytest.raises(DamagedDocument):
        read(tmp_path / "loop.txt")


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    with pytest.raises(DocumentMissing) as caught:
        read(path)
    caught.value.message.encode()


@pytest.mark.parametrize("name", ["folder", "folder.txt"])
def test_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UnsupportedFormat, match="folder"):
        read(tmp_path / name)


@pytest.mark.timeout(10)
def test_a_pipe_never_blocks(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(UnsupportedFormat, match="pipe"):
        read(tmp_path / "pipe.txt")


@pytest.mark.timeout(10)
def test_a_device(tmp_path: Path) -> None:
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    with pytest.raises(UnsupportedFormat, match="device"):
        read(tmp_path / "zero.txt")


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that this process may not enter; root gives up its rights for it."""
    user = os.geteuid()
    (tmp_path / "closed").mkdir(mode=0)
    os.seteuid(user or 65534)
    yield tmp_path / "closed"
    os.seteuid(user)
    (tmp_path / "closed").chmod(0o700)


def test_a_folder_that_may_not_be_entered(closed_folder: Path) -> None:
    with pytest.raises(ProtectedDocument, match="permission denied"):
        read(closed_folder / "note.txt")


def test_a_file_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "closed.txt"
    path.write_text("secret")

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ProtectedDocument, match=r"closed\.txt may not be opened") as caught:
        read(path)
    assert caught.value.hint


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(files.MAX_BYTES + 1)
    with pytest.raises(UnsupportedFormat, match="200 MB"):
        read(path)


def test_the_limit_holds_in_memory_and_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 3)
    assert read_bytes("a.txt", b"abc").text == "abc"
    with pytest.raises(UnsupportedFormat):
        read_bytes("a.txt", b"abcd")
    (tmp_path / "a.txt").write_bytes(b"abcd")
    with pytest.raises(UnsupportedFormat):
        files.load(tmp_path / "a.txt")


def test_importing_the_readers_is_light() -> None:
    """The libraries are loaded with the first document that needs them."""
    heavy = ("docx", "pypdfium2", "bs4", "lxml", "charset_normalizer", "PIL")
    code = f"import sys, app.readers; sys.exit(' '.join(set({heavy}) & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
