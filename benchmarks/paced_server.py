"""A server that streams tokens at a set pace, so that a client which asks it is what is measured.

It talks as vLLM's chat API does: the role and the first token together, a token an event, the usage, the end mark.
Beside that it notes, of whoever asks: when each question came, how many streams there were at once, and what CPU the
client's processes took from the first question to the end of the last stream. That leaves out what a client imports
before, and what it writes down afterwards.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import psutil

from app.benchmark.figures import percentile

MODEL = "paced"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n"
_STREAM = _HEAD % b"text/event-stream; charset=utf-8" + b"Transfer-Encoding: chunked\r\n\r\n"
_LISTED = {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "paced", "max_model_len": 8192}]}


@dataclass(frozen=True)
class Watch:
    """Whose CPU is counted, and the pace: seconds to the first token and between two."""

    pid: int
    first: float
    gap: float


@dataclass
class Seen:
    """What there was of one client. Times are seconds of the clock that all processes share.

    ``came``: by the number that a prompt begins with. ``late``: of each token, after it was due. ``cpu``: seconds, of
    the client's processes together, within ``seconds``.
    """

    came: dict[int, float] = field(default_factory=dict)
    tokens: int = 0
    most: int = 0
    late: list[float] = field(default_factory=list)
    begin: float = 0.0
    seconds: float = 0.0
    cpu_before: float = 0.0
    cpu: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For the one who watches."""
        late = sorted(self.late)
        return {
            "came": self.came, "tokens": self.tokens, "most": self.most, "seconds": self.seconds, "cpu": self.cpu,
            "late_p99_ms": percentile(late, 99) * 1000 if late else None,
        }  # fmt: skip


class _Pace:
    """What all connections share."""

    def __init__(self) -> None:
        self.watch = Watch(os.getpid(), 0.0, 0.0)
        self.seen = Seen()
        self.under_way = 0

    def ask(self, watch: Watch) -> None:
        self.watch, self.seen = watch, Seen()

    def began(self, now: float) -> None:
        if not self.seen.came:
            self.seen.begin, self.seen.cpu_before = now, _cpu(self.watch.pid)
        self.under_way += 1
        self.seen.most = max(self.seen.most, self.under_way)

    def ended(self, now: float) -> None:
        self.under_way -= 1
        if not self.under_way:
            self.seen.seconds, self.seen.cpu = now - self.seen.begin, _cpu(self.watch.pid) - self.seen.cpu_before


class _Connection(asyncio.Protocol):
    """One question at a time; asyncio's streams would take several times the CPU for each token."""

    def __init__(self, pace: _Pace) -> None:
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._got = b""
        self._streams = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._streams:
            self._streams = False
            self._timer.cancel()
            self._pace.ended(self._loop.time())

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, rest = self._got.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
        if not found or len(rest) < length:
            return
        self._got = rest[length:]
        if lines[0].startswith(b"post"):
            self._stream(json.loads(rest[:length]))
        else:
            self._transport.write(_reply(_LISTED))

    def _stream(self, asked: dict[str, Any]) -> None:
        self._due = self._loop.time()
        self._pace.began(self._due)
        self._streams = True
        content = asked["messages"][0]["content"]
        prompt = content if isinstance(content, str) else content[0]["text"]
        self._pace.seen.came[int(prompt.split()[0])] = self._due
        self._count = asked.get("max_completion_tokens") or asked["max_tokens"]
        self._sent = 0
        self._transport.write(_STREAM)
        self._wait(self._pace.watch.first)

    def _wait(self, seconds: float) -> None:
        self._due += seconds
        self._timer = self._loop.call_at(self._due, self._token)

    def _token(self) -> None:
        now = self._loop.time()
        self._pace.seen.late.append(now - self._due)
        self._pace.seen.tokens += 1
        self._sent += 1
        if self._sent < self._count:
            self._transport.write(_WORD if self._sent > 1 else _ROLE + _WORD)
            self._wait(self._pace.watch.gap)
            return
        usage = {"prompt_tokens": 100, "total_tokens": 100 + self._sent, "completion_tokens": self._sent}
        end = _event({**_BEGUN, "choices": [], "usage": usage}) + _chunk(b"data: [DONE]\n\n") + _chunk(b"")
        self._transport.write(_LAST + end)
        self._streams = False
        self._pace.ended(now)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(data: dict[str, Any]) -> bytes:
    return _chunk(b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n")


_BEGUN = {"id": "chatcmpl-b6a562d8d0c71eae", "object": "chat.completion.chunk", "created": 1795848413, "model": MODEL}


def _said(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason, "token_ids": None}
    return _event({**_BEGUN, "choices": [choice]})


_ROLE, _WORD = _said({"role": "assistant", "content": ""}), _said({"content": " lighthouse"})
_LAST = _said({"content": " lighthouse"}, "length")


def _reply(data: dict[str, Any]) -> bytes:
    body = json.dumps(data).encode()
    return _HEAD % b"application/json" + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def _cpu(pid: int) -> float:
    """Seconds of CPU, of the process and its descendants, with those that it has waited for."""
    root = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:4]) for process in (root, *root.children(recursive=True)))


def serve(orders: Any, cores: Collection[int]) -> None:
    """Serves on ``cores``. Sends its address; a Watch begins anew; None is answered with what was seen of it."""
    os.sched_setaffinity(0, cores)
    asyncio.run(_serve(orders))


async def _serve(orders: Any) -> None:
    pace = _Pace()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(pace), "127.0.0.1", 0, backlog=1024)
    over = asyncio.Event()

    def ordered() -> None:
        try:
            order = orders.recv()
        except EOFError:
            loop.remove_reader(orders.fileno())
            over.set()
            return
        if order is None:
            orders.send(pace.seen.as_dict())
        else:
            pace.ask(order)

    loop.add_reader(orders.fileno(), ordered)
    orders.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await over.wait()


class PacedServer:
    """The server from here, in a process of its own."""

    def __init__(self, cores: Collection[int]) -> None:
        context = multiprocessing.get_context("spawn")
        self._orders, there = context.Pipe()
        self._process = context.Process(target=serve, args=(there, cores), daemon=True)
        self._process.start()
        there.close()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.url: str = self._orders.recv()

    def watch(self, watch: Watch) -> None:
        """From now on it is about this client."""
        self._orders.send(watch)

    def seen(self) -> dict[str, Any]:
        """Of the client that is watched; as ``Seen``."""
        self._orders.send(None)
        found: dict[str, Any] = self._orders.recv()
        return found

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.join()
