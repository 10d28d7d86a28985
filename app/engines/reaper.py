"""When this process dies, by SIGKILL too, the engine processes that it started die with it.

:func:`watch` tells a small helper process, which runs this very file, of a process to kill. The helper holds the end
of a pipe that this process has the other end of, so it notices however we end. It lives while anything is watched.
On Windows nothing is watched: no engine of ours starts processes there.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

KILL_SECONDS = 5.0
_LOOK_SECONDS = 1.0  # a process forked from ours may keep the pipe open after our death; then we are missed like this
_PS = ("ps", "-axo", "pid=,ppid=,pgid=,stat=,lstart=")


class Process(NamedTuple):
    """A process that is no zombie; ``started`` tells it from a later one with the same number."""

    parent: int
    group: int
    started: str


def running() -> dict[int, Process]:
    """Every process of this machine by its number."""
    if sys.platform != "linux":
        return _listed()
    table = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
            # The command's name comes second, in brackets, and may hold anything.
            fields = file.read().rpartition(")")[2].split()
            if fields[0] not in "ZX":
                table[int(name)] = Process(int(fields[1]), int(fields[2]), fields[19])
    return table


def _listed() -> dict[int, Process]:
    table = {}
    for line in subprocess.run(_PS, capture_output=True, text=True, check=False).stdout.splitlines():
        pid, parent, group, state, began = line.split(None, 4)
        if not state.startswith("Z"):
            table[int(pid)] = Process(int(parent), int(group), began.strip())
    return table


def started(pid: int) -> str:
    """When ``pid`` began, in words of the system's own; empty where it does not run."""
    process = running().get(pid)
    return process.started if process else ""


def family(pid: int, began: str) -> set[int]:
    """The process that began then, with its descendants and the group that it leads, as far as they run now."""
    table = running()
    if pid in table and table[pid].started != began:
        return set()  # the number belongs to another process now
    found = {pid}
    found |= {other for other, process in table.items() if process.group == pid}
    while more := {other for other, process in table.items() if process.parent in found} - found:
        found |= more
    return (found & table.keys()) - {os.getpid(), 1}


def kill(pid: int, began: str) -> None:
    """End the process and its family, and wait until they are gone, :data:`KILL_SECONDS` at most."""
    end = time.monotonic() + KILL_SECONDS
    while (victims := family(pid, began)) and time.monotonic() < end:
        for victim in victims:
            with suppress(OSError):
                os.kill(victim, signal.SIGKILL)
        time.sleep(0.02)


class Reaper:
    """The helper process of this process. Safe from several threads."""

    def __init__(self) -> None:
        self._watched: dict[int, str] = {}
        self._helper: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def watch(self, pid: int) -> None:
        """``pid``, its descendants and the group that it leads shall not outlive this process."""
        if sys.platform == "win32":
            return
        with self._lock:
            self._watched[pid] = started(pid)
            if self._helper is None or self._helper.poll() is not None:
                self._helper = self._start()
                self._tell(f"watch {number} {began}" for number, began in self._watched.items())
            else:
                self._tell([f"watch {pid} {self._watched[pid]}"])

    def forget(self, pid: int) -> None:
        """``pid`` has ended, or may live on."""
        with self._lock:
            if self._watched.pop(pid, None) is None or self._helper is None:
                return
            self._tell([f"forget {pid}"])
            if not self._watched:
                helper, self._helper = self._helper, None
                _let_go(helper)

    def _tell(self, lines: Iterable[str]) -> None:
        assert self._helper is not None and self._helper.stdin is not None
        with suppress(OSError):  # it was killed: the next watch() starts another
            self._helper.stdin.write("".join(f"{line}\n" for line in lines).encode())
            self._helper.stdin.flush()

    @staticmethod
    def _start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", os.path.abspath(__file__), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # so that Ctrl-C in the terminal does not end it first
        )


def _let_go(helper: subprocess.Popen[bytes]) -> None:
    assert helper.stdin is not None
    with suppress(OSError):
        helper.stdin.close()
    try:
        helper.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        helper.kill()
        helper.wait()


_reaper = Reaper()
watch = _reaper.watch
forget = _reaper.forget


def _main(parent: int) -> None:
    """What the helper does."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    watched: dict[int, str] = {}
    rest = b""
    while True:
        orphaned = os.getppid() != parent
        if not select.select([0], [], [], 0 if orphaned else _LOOK_SECONDS)[0]:
            if orphaned:
                break
            continue
        read = os.read(0, 65536)
        if not read:
            break
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            word, number, *began = line.decode().split(" ", 2)
            if word == "watch":
                watched[int(number)] = " ".join(began)
            else:
                watched.pop(int(number), None)
    for pid, when in watched.items():
        kill(pid, when)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
