"""Readers who hang up leave nothing behind, and a server that is stopped lets those who read finish."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.api.conftest import Written
from tests.api.parts import BEARER, ENGLISH, KEYS, chat, settled, until, writing
from tests.api.readers import Reading, read, read_all
from tests.api.upstream import Upstream
from tests.product import Server

AT_WORK, IN_LINE = 8, 4  # as tests/api/conftest.py has it
POOL = 15
"""Threads that the server's pool may have more of by chance, each with three files of the catalog."""


def resources(running: Server) -> tuple[int, int]:
    """Threads and open files of the server's process."""
    process = psutil.Process(running.pid)
    return process.num_threads(), process.num_fds()


@pytest.fixture
def slow(written: Written) -> Iterator[Written]:
    """Its answers take a minute."""
    read_all(written.server.url, AT_WORK + IN_LINE, key=KEYS[0])  # whatever is made once is made
    written.upstream.asked.clear()
    written.upstream.gap = 1.0
    yield written


def hang_up(written: Written, rounds: int, at_once: int, **how: object) -> None:
    url, upstream = written.server.url, written.upstream
    threads, files = resources(written.server)
    asked = 0
    for _ in range(rounds):
        upstream.asked.clear()
        read_all(url, at_once, key=KEYS[0], leave_after=0.6, **how)
        health = settled(url, BEARER, 3)
        assert health["active_tasks"] == health["waiting_tasks"] == 0
        asked += len(upstream.questions())
        until(lambda: all(request.aborted.is_set() for request in upstream.questions()), 3)
    assert asked >= rounds, "some of them were being answered"

    def back() -> bool:
        settled(url, BEARER, 3)  # the pool lets idle threads go when it is used
        now = resources(written.server)
        return now[0] <= threads + POOL and now[1] <= files + 3 * POOL

    until(back, 30)
    upstream.gap = 0.0
    (after,) = read_all(url, 1, key=KEYS[0])
    assert after.whole, "and the next one is answered"


@pytest.mark.parametrize("stream", [True, False])
def test_who_hangs_up_stops_the_work_and_frees_the_place(slow: Written, stream: bool) -> None:
    hang_up(slow, 6, AT_WORK + 2, stream=stream)


@pytest.mark.soak
@pytest.mark.parametrize("stream", [True, False])
def test_a_thousand_who_hang_up_leave_nothing_behind(slow: Written, stream: bool) -> None:
    hang_up(slow, 84, AT_WORK + IN_LINE, stream=stream)


def test_who_leaves_the_line_is_never_asked_for(slow: Written) -> None:
    async def work() -> list[Reading]:
        inside = [asyncio.ensure_future(read(slow.server.url, key=KEYS[0], leave_after=4)) for _ in range(AT_WORK)]
        while len(slow.upstream.questions()) < AT_WORK:
            await asyncio.sleep(0.02)
        outside = [read(slow.server.url, key=KEYS[0], stream=at % 2 == 0, leave_after=0.5) for at in range(IN_LINE)]
        left = await asyncio.gather(*outside)
        end = time.monotonic() + 2
        async with httpx.AsyncClient(base_url=slow.server.url, headers=BEARER) as client:
            while (await client.get("/health")).json()["waiting_tasks"]:
                assert time.monotonic() < end, "who is gone still waits"
                await asyncio.sleep(0.02)
            assert (await client.get("/health")).json()["active_tasks"] == AT_WORK
        await asyncio.gather(*inside)
        return left

    assert [got.status for got in asyncio.run(work())] == [0] * IN_LINE
    settled(slow.server.url, BEARER, 3)
    assert len(slow.upstream.questions()) == AT_WORK


def test_who_stops_reading_holds_up_nobody_and_is_let_go(slow: Written) -> None:
    """It takes no more of a long answer: its place is taken until it has gone, and no other."""
    url, upstream = slow.server.url, slow.upstream
    upstream.gap, upstream.length = 0.0, 20_000
    try:
        body = json.dumps(chat(ENGLISH, stream=True, max_tokens=1_000_000)).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEYS[0]}\r\n"
        with socket.socket() as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.connect(("127.0.0.1", int(url.rpartition(":")[2])))
            kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            stuck.sendall((head + kind).encode() + body)
            until(upstream.questions)
            upstream.length = 40
            assert all(got.whole for got in read_all(url, AT_WORK - 1, key=KEYS[0]))
            until(lambda: _health(url)["active_tasks"] == 1)
            time.sleep(1)
            assert _health(url)["active_tasks"] == 1, "its answer has not come to its end"
        settled(url, BEARER, 3)
    finally:
        upstream.length = 40


def _health(url: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{url}/health", headers=BEARER).json()
    return found


def stopped_under(readers: int, folder: Path) -> tuple[list[Reading], Reading, int, str]:
    """A server that gets SIGTERM while ``readers`` read: what they got, what a late one got, its exit code and log."""
    with Upstream(length=40) as upstream:
        upstream.gap = 0.05
        with writing(folder / "state", upstream, MAX_CONCURRENT_TASKS=str(readers), LOG_LEVEL="INFO") as running:
            got: list[Reading] = []
            reading = threading.Thread(target=lambda: got.extend(read_all(running.url, readers, key=KEYS[0])))
            reading.start()
            until(lambda: len(upstream.questions()) == readers)
            time.sleep(0.5)  # in the midst of the words
            psutil.Process(running.pid).terminate()
            late = Reading(status=200)

            def refused() -> bool:
                nonlocal late
                (late,) = read_all(running.url, 1, key=KEYS[0])
                return not late.status or late.status == 503

            until(refused, 10)
            reading.join()
            code = running.wait()
            return got, late, code, running.log.read_text()


def check_stop(readers: int, folder: Path) -> None:
    got, late, code, log = stopped_under(readers, folder)
    assert [answer.whole for answer in got] == [True] * readers, [(one.status, one.problem) for one in got]
    assert late.status in (0, 503), "nobody new is let in"
    assert code == 0
    assert "Traceback" not in log and "ERROR" not in log, log


def test_a_stop_lets_the_readers_finish(tmp_path: Path) -> None:
    check_stop(8, tmp_path)


@pytest.mark.soak
def test_a_stop_lets_many_readers_finish(tmp_path: Path) -> None:
    check_stop(32, tmp_path)
