"""A small server that tells metrics, or fails at it, and vLLM's real ones as they were recorded.

The recordings are of vLLM 0.32.0 on the CPU with the tiny model, n-gram speculation and room for 20 blocks of cache:
before, during and after 40 answers of 200 tokens for 16 readers. The lines of its histograms' buckets are left out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_FOLDER = Path(__file__).parent / "recordings" / "vllm-0.32"
BEGIN, DURING, END = ((_FOLDER / f"{name}.txt").read_text(encoding="utf-8") for name in ("begin", "during", "end"))

Act = Callable[[BaseHTTPRequestHandler], None]


class MetricsServer(ThreadingHTTPServer):
    """Does ``acts`` one after the other, the last one again and again; ``seen`` are the requests."""

    daemon_threads = True
    acts: list[Act]
    seen: list[tuple[str, str | None]]
    over: threading.Event

    @property
    def base(self) -> str:
        """The address of its API."""
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, MetricsServer)
        server.seen.append((self.path, self.headers["Authorization"]))
        self.close_connection = True
        (server.acts.pop(0) if len(server.acts) > 1 else server.acts[0])(self)

    def log_message(self, format: str, *args: object) -> None:
        """Not into the test's output."""


@contextmanager
def serving(*acts: Act) -> Iterator[MetricsServer]:
    server = MetricsServer(("127.0.0.1", 0), _Handler)
    server.acts, server.seen, server.over = list(acts), [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def tells(text: str, status: int = 200) -> Act:
    """Answers with ``text``."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        body = text.encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return act


def cuts(text: str, *, announced: bool = True) -> Act:
    """Dies in the middle of ``text``: before the end it ``announced``, or before one that nobody knows."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        body = text.encode()
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(2 * len(body)))
        else:
            handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body)

    return act


def hangs(handler: BaseHTTPRequestHandler) -> None:
    """Says nothing until the test is over."""
    server = handler.server
    assert isinstance(server, MetricsServer)
    server.over.wait()
