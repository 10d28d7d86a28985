"""One owner for each data folder, and how others find it.

The owner holds a lock file for as long as it lives; the operating system frees it however the process ends. A server
also writes where it listens and a secret, readable by the folder's user alone, so that commands go through it.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from app.errors import DataFolderBusy, DataFolderError

_LOCK = "owner.lock"
_PID = "owner.pid"
_SERVER = "server.json"


@dataclass(frozen=True)
class ServerAddress:
    """Where the server of a data folder listens, and the secret that its control door asks for."""

    url: str
    token: str
    pid: int


class Ownership:
    """The right to write to a data folder, held until :meth:`release`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".writable-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise DataFolderError(
                f"The data folder {folder} cannot be written to: {error.strerror}.",
                "Give your user the right to write there, or set DATA_DIR to another folder.",
            ) from error
        # The process owns the folder, not one of its threads: a server may close in another than it opened in.
        self._lock = FileLock(folder / _LOCK, timeout=0, thread_local=False)

    def acquire(self) -> None:
        """Take the folder. Raises DataFolderBusy, naming who has it."""
        try:
            self._lock.acquire()
        except Timeout:
            raise DataFolderBusy(
                f"The data folder {self._folder} is in use{_by_whom(self._folder)}.",
                "Stop that process, or set DATA_DIR to another folder.",
            ) from None
        # The last owner may have been killed: nobody shall bring the old secret to whoever listens there now.
        (self._folder / _SERVER).unlink(missing_ok=True)
        (self._folder / _PID).write_text(str(os.getpid()), encoding="ascii")

    def announce(self, url: str) -> ServerAddress:
        """Write down where this server listens; only the folder's user can read the secret."""
        address = ServerAddress(url, secrets.token_urlsafe(32), os.getpid())
        path = self._folder / _SERVER
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(address), file)
        return address

    def release(self) -> None:
        """Give the folder up."""
        if self._lock.is_locked:
            for name in (_SERVER, _PID):
                with suppress(OSError):
                    (self._folder / name).unlink(missing_ok=True)
            self._lock.release()


def announced_server(folder: Path) -> ServerAddress | None:
    """What the last server of the folder wrote down; it may have died since."""
    try:
        return ServerAddress(**json.loads((folder / _SERVER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _by_whom(folder: Path) -> str:
    server = announced_server(folder)
    if server:
        return f" by the server at {server.url} (process {server.pid})"
    deadline = time.monotonic() + 0.5  # the new owner writes its number right after it has the lock
    while time.monotonic() < deadline:
        with suppress(OSError):
            pid = (folder / _PID).read_text(encoding="ascii")
            if pid:
                return f" by process {pid}"
        time.sleep(0.05)
    return ""
