"""One file, from a source that does not even say how long it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1, sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ChecksumMismatch, SourceUnavailable
from app.models.sources.base import Body, Interrupted, Listing, RemoteFile
from app.models.transfer import Stopped, Transfer, checksum_of, patiently

DATA = bytes(range(256)) * 20
BROKEN = SourceUnavailable("It broke off.", "Again.")


class Source:
    """Gives its data in pieces, and breaks off after each number of bytes in ``ends``."""

    label = "the source"

    def __init__(self, data: bytes = DATA, ends: tuple[int, ...] = (), ranges: bool = True) -> None:
        self.data, self.ends, self.ranges = data, list(ends), ranges
        self.starts: list[int] = []

    def listing(self, name: str, revision: str) -> Listing:
        raise NotImplementedError

    def nearest(self, name: str) -> list[str]:
        raise NotImplementedError

    @contextmanager
    def open(self, listing: Listing, file: RemoteFile, start: int) -> Iterator[Body]:
        self.starts.append(start)
        yield Body(start if self.ranges else 0, self._pieces(start if self.ranges else 0))

    def _pieces(self, start: int) -> Iterator[bytes]:
        end = self.ends.pop(0) if self.ends else None
        rest = self.data[start:][:end]
        yield from (rest[at : at + 100] for at in range(0, len(rest), 100))
        if end is not None:
            raise Interrupted(BROKEN)


def fetched(source: Source, folder: Path, file: RemoteFile, counted: list[int] | None = None) -> Path:
    transfer = Transfer(source, Listing("org/model", "abc", (file,)), (counted if counted is not None else []).append)
    transfer._pause = lambda seconds: None  # type: ignore[method-assign]
    assert transfer.fetch(file, folder / "part", folder / "deep" / "file") == sha256(source.data).hexdigest()
    return folder / "deep" / "file"


def file_of(data: bytes = DATA) -> RemoteFile:
    return RemoteFile("file", len(data), f"sha256:{sha256(data).hexdigest()}")


@given(ends=st.lists(st.integers(1, 3000), max_size=6), ranges=st.booleans())
def test_however_often_it_breaks_off_the_bytes_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, ends: list[int], ranges: bool
) -> None:
    counted: list[int] = []
    if not ranges:
        ends = ends[:5]  # each may begin anew without getting further
    path = fetched(Source(ends=tuple(ends), ranges=ranges), tmp_path_factory.mktemp("t"), file_of(), counted)
    assert path.read_bytes() == DATA
    assert sum(counted) == len(DATA)


def test_a_file_of_unknown_length_is_never_begun_in_the_middle(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(DATA)  # whole already, which nobody can tell
    source = Source()
    assert fetched(source, tmp_path, RemoteFile("file", None)).read_bytes() == DATA
    assert source.starts == [0]


def test_an_empty_file_comes(tmp_path: Path) -> None:
    assert fetched(Source(b""), tmp_path, file_of(b"")).read_bytes() == b""


def test_wrong_bytes_twice_are_told_and_not_kept(tmp_path: Path) -> None:
    source = Source(DATA[:-1] + b"?")
    with pytest.raises(ChecksumMismatch, match="twice"):
        fetched(source, tmp_path, file_of())
    assert source.starts == [0, 0]
    assert not (tmp_path / "part").exists() and not (tmp_path / "deep" / "file").exists()


def test_more_bytes_than_there_should_be_are_told(tmp_path: Path) -> None:
    with pytest.raises(ChecksumMismatch):
        fetched(Source(DATA + b"more"), tmp_path, file_of())


def test_who_asks_it_to_stop_keeps_what_came(tmp_path: Path) -> None:
    counted: list[int] = []

    def stop(count: int) -> None:
        counted.append(count)
        transfer.stop()

    transfer = Transfer(Source(), Listing("org/model", "abc", ()), stop)
    with pytest.raises(Stopped):
        transfer.fetch(file_of(), tmp_path / "part", tmp_path / "file")
    assert (tmp_path / "part").read_bytes() == DATA[:100]


def test_blobs_are_named_as_git_names_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    blob = sha1(b"blob %d\0" % len(DATA) + DATA).hexdigest()
    assert checksum_of(tmp_path / "file", RemoteFile("file", len(DATA), f"git:{blob}"))
    assert checksum_of(tmp_path / "file", RemoteFile("file", len(DATA), f"git:{blob[::-1]}")) is None
    assert checksum_of(tmp_path / "file", RemoteFile("file", 1)) is None


def test_patience_ends_after_so_many_tries_without_progress() -> None:
    tries, pauses = [0], list[float]()

    def attempt(*, progress: bool) -> int:
        tries[0] += 1
        if tries[0] > 20:
            return tries[0]
        broken = Interrupted(BROKEN)
        broken.progress = progress
        raise broken

    assert patiently(lambda: attempt(progress=True), 3, pauses.append) == 21
    assert max(pauses) <= 1
    tries[0] = 0
    with pytest.raises(SourceUnavailable):
        patiently(lambda: attempt(progress=False), 3, pauses.append)
    assert tries == [3]


@pytest.mark.parametrize(("wait", "tries"), [(60, 3), (600, 1)])
def test_a_wait_that_is_asked_for_is_kept_unless_it_is_too_long(wait: float, tries: int) -> None:
    pauses: list[float] = []

    def attempt() -> None:
        raise Interrupted(BROKEN, wait)

    with pytest.raises(SourceUnavailable):
        patiently(attempt, 3, pauses.append)
    assert pauses == [wait] * (tries - 1)
