"""The door over HTTP: who leaves stops the work, and the door opens and closes with its server."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.mcp_server.http import McpDoor
from tests.mcp_server.assistant import assistant, over_http

HEADERS = {"Accept": "application/json, text/event-stream", "Host": "documents.example:8443"}
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
ASK = {"name": "ask", "arguments": {"question": "x"}}


class Endless:
    """Operations of which ``ask`` never ends by itself."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.stopped = threading.Event()

    def run(self, name: str, args: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if name != "ask":
            raise ZeroDivisionError("a fault\nof the\nprogram")
        try:
            while True:
                self.begun.set()
                time.sleep(0.02)
                yield {"text": "a"}
        finally:
            self.stopped.set()


@pytest.fixture
def work() -> Endless:
    return Endless()


@pytest.fixture
def url(work: Endless) -> Iterator[str]:
    with over_http(work.run) as found:
        yield found


def request(method: str, params: dict[str, Any], number: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def session(url: str) -> dict[str, str]:
    """The headers of a session that has begun."""
    begun = httpx.post(url, json=request("initialize", HELLO), headers=HEADERS)
    assert begun.status_code == 200
    return {**HEADERS, "Mcp-Session-Id": begun.headers["mcp-session-id"], "Mcp-Protocol-Version": "2025-06-18"}


def test_who_disconnects_stops_the_work(url: str, work: Endless) -> None:
    headers = session(url)
    with httpx.stream("POST", url, json=request("tools/call", ASK), headers=headers) as response:
        assert response.status_code == 200
        assert work.begun.wait(5)
        assert not work.stopped.wait(0.2)

    assert work.stopped.wait(5)
    assert httpx.post(url, json=request("ping", {}), headers=headers).status_code == 200  # the session goes on


def test_who_ends_the_session_stops_the_work(url: str, work: Endless) -> None:
    headers = session(url)
    with httpx.stream("POST", url, json=request("tools/call", ASK), headers=headers):
        assert work.begun.wait(5)
        assert httpx.delete(url, headers=headers).status_code == 200
        assert work.stopped.wait(5)

    assert httpx.post(url, json=request("ping", {}), headers=headers).status_code == 404


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_who_cancels_stops_the_work_in_either_protocol(url: str, work: Endless, mode: str) -> None:
    with assistant(url, mode) as there:
        told = there.give_up("ask", work.begun.is_set, question="x")

        assert work.stopped.wait(5)
        assert (told[0] or "").endswith("characters so far")


def test_the_servers_end_stops_the_work_of_a_client_that_stays(work: Endless) -> None:
    with over_http(work.run) as url:
        headers = session(url)
        stream = httpx.stream("POST", url, json=request("tools/call", ASK), headers=headers)
        stream.__enter__()
        assert work.begun.wait(5)
        begun = time.monotonic()

    assert work.stopped.wait(5)
    assert time.monotonic() - begun < 5
    stream.__exit__(None, None, None)


def test_a_fault_of_the_program_is_one_line_and_in_the_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with assistant(url) as there, caplog.at_level(logging.ERROR):
        said = there.problem("list_documents")
        assert said == (
            "list_documents failed: ZeroDivisionError: a fault of the program The server's log has the details."
        )
        error = there.refused("list_resources")
        assert "ZeroDivisionError" in error.message and "\n" not in error.message

    assert "a fault\nof the\nprogram" in caplog.text


def test_the_door_answers_only_while_it_is_open(work: Endless) -> None:
    door = McpDoor(work.run)

    async def knock() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://x") as client:
            return (await client.post("/mcp", json=request("initialize", HELLO), headers=HEADERS)).status_code

    async def life() -> list[int]:
        seen = [await knock()]
        for _ in range(2):
            async with door.open():
                seen.append(await knock())
            seen.append(await knock())
        return seen

    assert asyncio.run(life()) == [503, 200, 503, 200, 503]
