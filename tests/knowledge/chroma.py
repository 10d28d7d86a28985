"""A real Chroma server for tests, which can be killed, held up and started again, and servers that are none."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

_API = "/api/v2/tenants/default_tenant/databases/default_database/collections"


class ChromaProcess:
    """``chroma run`` on a free port of this machine."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it where it does not run, and wait until it answers."""
        if self._process:
            return
        command = (
            "import sys; from chromadb_rust_bindings import cli; cli(['chroma', *sys.argv[1:]])"  # quicker to load
        )
        options = ["run", "--host", "127.0.0.1", "--port", str(self.port), "--path", str(self.folder)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{self.url}/api/v2/heartbeat", trust_env=False, timeout=5).raise_for_status()
                return
            except httpx.HTTPError:
                assert time.monotonic() < until and self._process.poll() is None, "the server does not start"
                time.sleep(0.05)

    def kill(self) -> None:
        """End it at once."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """It takes connections and answers none."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def collections(self) -> dict[str, Any]:
        """All that is there, by the collections' names."""
        everything = {"include": ["documents", "metadatas", "uris"]}
        with httpx.Client(trust_env=False, timeout=30) as client:
            found = client.get(f"{self.url}{_API}").raise_for_status().json()
            return {
                one["name"]: client.post(f"{self.url}{_API}/{one['id']}/get", json=everything).raise_for_status().json()
                for one in found
            }


@contextmanager
def serving(status: int, body: bytes, *, drip: bool = False) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that gives every request the same answer, drop by drop where it shall; and the headers it got."""
    got: list[dict[str, str]] = []
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append({name.lower(): value for name, value in self.headers.items()})
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for drop in [bytes([one]) for one in body] if drip else [body]:
                self.wfile.write(drop)
                if drip and ended.wait(0.2):
                    return

        do_GET = do_DELETE = do_POST

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", got
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
