"""A small TCP server that answers HTTP requests with given bytes, faults included, and remembers what came."""

from __future__ import annotations

import base64
import contextlib
import json
import select
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parent / "recordings"
PATIENCE = 10.0  # seconds after which a reply that waits for the client gives up


@dataclass(frozen=True)
class Reply:
    """Bytes to send, ``gap`` seconds apart; then the connection is closed, or held until the client closes it."""

    pieces: tuple[bytes, ...]
    gap: float = 0.0
    hold: bool = False


@dataclass
class Request:
    """A request that came; ``aborted`` is set once the client has closed the connection before we did."""

    line: str
    headers: dict[str, str]
    body: Any
    aborted: threading.Event = field(default_factory=threading.Event)


class Server:
    """Answers ``"METHOD /path"`` with the replies given for it, in turn; the last one is repeated."""

    def __init__(self, replies: dict[str, Reply | list[Reply]]) -> None:
        self._replies = {line: list(given) if isinstance(given, list) else [given] for line, given in replies.items()}
        self.requests: list[Request] = []
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                server._handle(self.request)

        class TCPServer(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

        self._tcp = TCPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._tcp.server_address[1]}"
        self._thread = threading.Thread(target=self._tcp.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Closes the port: from now on connections are refused."""
        self._tcp.shutdown()
        self._tcp.server_close()
        self._thread.join()

    def asked(self, line: str) -> list[Request]:
        """The requests for ``"METHOD /path"`` so far."""
        return [request for request in self.requests if request.line == line]

    def _handle(self, sock: socket.socket) -> None:
        request = _read(sock)
        if request is None:
            return
        self.requests.append(request)
        queue = self._replies.get(request.line, [json_reply(404, {"error": "not found"})])
        reply = queue.pop(0) if len(queue) > 1 else queue[0]
        try:
            for piece in reply.pieces:
                sock.sendall(piece)
                if reply.gap and _closed(sock, reply.gap):
                    request.aborted.set()
                    return
            if reply.hold and _closed(sock, PATIENCE):
                request.aborted.set()
        except OSError:
            request.aborted.set()


def _read(sock: socket.socket) -> Request | None:
    sock.settimeout(PATIENCE)
    data = b""
    with contextlib.suppress(OSError):
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                return None
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (item.split(": ", 1) for item in rest)}
        while len(body) < int(headers.get("content-length", 0)):
            body += sock.recv(65536)
        return Request(line.rsplit(" ", 1)[0], headers, json.loads(body) if body else None)
    return None


def _closed(sock: socket.socket, seconds: float) -> bool:
    """Whether the client closes the connection within ``seconds``."""
    readable, _, _ = select.select([sock], [], [], seconds)
    return bool(readable) and sock.recv(65536) == b""


def recorded(*names: str) -> dict[str, Any]:
    """Replies as they came from an Ollama server, byte for byte, without the pauses between them."""
    exchanges = json.loads((RECORDINGS / "ollama.json").read_text(encoding="utf-8"))["exchanges"]
    replies: dict[str, Any] = {}
    for name in names:
        pieces = tuple(base64.b64decode(piece) for piece in exchanges[name]["received"])
        replies.setdefault(exchanges[name]["request"], []).append(Reply(pieces))
    return replies


def json_reply(status: int, data: object) -> Reply:
    """A whole JSON reply."""
    body = json.dumps(data).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return Reply((head.encode() + body,))


def text_reply(status: int, text: str) -> Reply:
    """A whole reply of another kind."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: text/html\r\nContent-Length: {len(text)}\r\n\r\n"
    return Reply(((head + text).encode(),))


def chunked(kind: str, parts: list[str], *, ended: bool = True, gap: float = 0.0, hold: bool = False) -> Reply:
    """A streamed reply; without ``ended`` its last chunk is missing."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    pieces = [b"%x\r\n%s\r\n" % (len(part.encode()), part.encode()) for part in parts]
    return Reply((head, *pieces, *((b"0\r\n\r\n",) if ended else ())), gap, hold)


def wait_for(condition: threading.Event, seconds: float = 2.0) -> float:
    """Seconds until ``condition`` is set; fails where that does not happen in time."""
    begun = time.monotonic()
    assert condition.wait(seconds), "the request was not aborted"
    return time.monotonic() - begun


def unused_url() -> str:
    """An address of this machine where nothing listens."""
    with contextlib.closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}"


@contextlib.contextmanager
def silent_url() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with contextlib.closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(16)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
