"""One owner for each data folder: across threads, across processes, after kill -9."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.config import ROOT
from app.errors import DataFolderBusy, DataFolderError
from app.owner import Ownership, announced_server

_HOLD = """
import sys
from pathlib import Path
from app.owner import Ownership
ownership = Ownership(Path(sys.argv[1]))
ownership.acquire()
if sys.argv[2:]:
    ownership.announce(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
ownership.release()
"""


@contextmanager
def other_process(folder: Path, *url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns ``folder`` until its stdin is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder), *url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def test_the_folder_is_made(tmp_path: Path) -> None:
    ownership = Ownership(tmp_path / "a" / "b")
    ownership.acquire()

    assert (tmp_path / "a" / "b").is_dir()
    ownership.release()


def test_a_second_owner_in_the_same_process_is_refused(tmp_path: Path) -> None:
    first, second = Ownership(tmp_path), Ownership(tmp_path)
    first.acquire()

    with pytest.raises(DataFolderBusy, match=f"in use by process {os.getpid()}\\."):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_a_second_process_is_refused_by_name_and_comes_in_when_the_first_has_left(tmp_path: Path) -> None:
    with other_process(tmp_path) as process:
        with pytest.raises(DataFolderBusy, match=f"in use by process {process.pid}\\.") as caught:
            Ownership(tmp_path).acquire()
        assert "DATA_DIR" in caught.value.hint

    ownership = Ownership(tmp_path)
    ownership.acquire()
    ownership.release()


def test_a_server_is_named_with_its_address(tmp_path: Path) -> None:
    url = "http://127.0.0.1:8501"
    with other_process(tmp_path, url) as process:
        with pytest.raises(DataFolderBusy) as caught:
            Ownership(tmp_path).acquire()
        assert (
            caught.value.message
            == f"The data folder {tmp_path} is in use by the server at {url} (process {process.pid})."
        )


def test_kill_9_frees_the_folder_and_the_old_secret_is_thrown_away(tmp_path: Path) -> None:
    with other_process(tmp_path, "http://127.0.0.1:8501") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert announced_server(tmp_path) is not None

    ownership = Ownership(tmp_path)
    ownership.acquire()

    assert announced_server(tmp_path) is None
    with pytest.raises(DataFolderBusy, match=f"in use by process {os.getpid()}\\."):
        Ownership(tmp_path).acquire()
    ownership.release()


def test_the_announcement_is_readable_for_its_user_alone_and_gone_at_the_end(tmp_path: Path) -> None:
    ownership = Ownership(tmp_path)
    ownership.acquire()
    first = ownership.announce("http://127.0.0.1:8501")
    second = ownership.announce("http://127.0.0.1:8502")

    assert announced_server(tmp_path) == second
    assert first.token != second.token
    assert len(second.token) >= 32
    files = [path for path in tmp_path.iterdir() if second.token in path.read_text()]
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600]
    ownership.release()
    assert announced_server(tmp_path) is None
    assert not any(second.token in path.read_text() for path in tmp_path.iterdir())


def test_another_thread_may_release_it(tmp_path: Path) -> None:
    ownership = Ownership(tmp_path)
    ownership.acquire()
    thread = threading.Thread(target=ownership.release)
    thread.start()
    thread.join()

    later = Ownership(tmp_path)
    later.acquire()
    later.release()


def test_releasing_twice_or_never_having_had_it_is_harmless(tmp_path: Path) -> None:
    owner, other = Ownership(tmp_path), Ownership(tmp_path)
    owner.acquire()
    address = owner.announce("http://127.0.0.1:8501")
    other.release()

    assert announced_server(tmp_path) == address
    owner.release()
    owner.release()


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"url": 1}', '{"url": "u", "token": "t", "pid": 1, "x": 2}'])
def test_a_damaged_announcement_is_no_server(tmp_path: Path, content: str) -> None:
    ownership = Ownership(tmp_path)
    ownership.acquire()
    ownership.announce("http://127.0.0.1:8501")
    for path in tmp_path.glob("*.json"):
        path.write_text(content)

    assert announced_server(tmp_path) is None
    ownership.release()


def test_a_folder_that_cannot_be_made_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(DataFolderError, match="cannot be written to: Not a directory") as caught:
        Ownership(tmp_path / "file" / "state")
    assert "DATA_DIR" in caught.value.hint


def test_a_read_only_folder_is_an_error_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, *args: object, **kwargs: object) -> None:  # root may write anywhere, whatever the mode
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refused)

    with pytest.raises(DataFolderError, match="cannot be written to: Permission denied"):
        Ownership(tmp_path)
