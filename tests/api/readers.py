"""Many readers of the API at once, who read, leave or break off as they are told."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.api.parts import ENGLISH, chat


@dataclass
class Reading:
    """What one reader got: the status, the bytes of the body, and what the connection ended with."""

    status: int = 0
    body: bytes = b""
    problem: str = ""

    @property
    def whole(self) -> bool:
        return self.status == 200 and self.body.rstrip(b"0\r\n").endswith(b"data: [DONE]")


async def read(url: str, *, key: str = "", stream: bool = True, leave_after: float | None = None) -> Reading:
    """One question over a connection of its own, which is closed after ``leave_after`` seconds, answered or not."""
    there, got = urlsplit(url), Reading()
    body = json.dumps(chat(ENGLISH, stream=stream)).encode()
    bearer = f"Authorization: Bearer {key}\r\n" if key else ""
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {there.netloc}\r\n{bearer}Connection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        reader, writer = await asyncio.open_connection(there.hostname, there.port)
    except OSError as error:
        got.problem = type(error).__name__
        return got
    try:
        writer.write(head.encode() + body)
        try:
            raw = await asyncio.wait_for(_all(reader, got), leave_after)
            got.body = raw
        except TimeoutError:
            writer.transport.abort() if stream else writer.close()
        except OSError as error:
            got.problem = type(error).__name__
    finally:
        writer.close()
    return got


async def _all(reader: asyncio.StreamReader, got: Reading) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        got.problem = "no answer"
        return b""
    got.status = int(head.split(b" ", 2)[1])
    return await reader.read()


def read_all(url: str, count: int, **how: object) -> list[Reading]:
    """``count`` readers at once."""

    async def work() -> list[Reading]:
        return await asyncio.gather(*(read(url, **how) for _ in range(count)))  # type: ignore[arg-type]

    return asyncio.run(work())


@dataclass
class Asking:
    """What readers got who ask again and again: how often each status, and how many seconds each whole answer took."""

    statuses: Counter[int] = field(default_factory=Counter)
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


async def keep_asking(url: str, body: dict[str, Any], seconds: float, readers: int, key: str = "none") -> Asking:
    """``readers`` at once, each over one connection, a stream after the other; who is sent away waits as it is told.

    ``url`` is that of a chat API. Raises where a stream ends without its end mark.
    """
    got, end, there = Asking(), time.monotonic() + seconds, urlsplit(url)
    sent = json.dumps(body | {"stream": True}).encode()
    head = (
        f"POST {there.path}/chat/completions HTTP/1.1\r\nHost: {there.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
    ).encode()

    async def one() -> None:
        reader, writer = await asyncio.open_connection(there.hostname, there.port, limit=2**22)
        try:
            while time.monotonic() < end:
                began = time.monotonic()
                writer.write(head + sent)
                answered = (await reader.readuntil(b"\r\n\r\n")).lower()
                status = int(answered.split(b" ", 2)[1])
                got.statuses[status] += 1
                if status != 200:
                    headers = dict(line.split(b": ", 1) for line in answered.splitlines()[1:] if b": " in line)
                    await reader.readexactly(int(headers[b"content-length"]))
                    await asyncio.sleep(float(headers.get(b"retry-after", b"1")))
                    continue
                await reader.readuntil(b'"content": "')
                await reader.readuntil(b'"content": "')  # the one before opens the stream, without a word
                got.first.append(time.monotonic() - began)
                await reader.readuntil(b"data: [DONE]\n\n")
                got.whole.append(time.monotonic() - began)
                await reader.readuntil(b"0\r\n\r\n")
        finally:
            writer.close()

    await asyncio.gather(*(one() for _ in range(readers)))
    return got
