"""A server such as Ollama, whose model writes ten words a second."""

from __future__ import annotations

import contextlib
import json
import select
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "slowpoke:1b"
_TAG = {"name": MODEL, "model": MODEL, "size": 1, "digest": "1", "details": {}, "capabilities": ["completion"]}
_GAP = 0.1  # seconds


class SlowOllama:
    """Serves from its making to :meth:`stop`. Asked to be brief it says six words, else 300."""

    def __init__(self) -> None:
        self.aborted: list[threading.Event] = []  # of each answer: set once its reader has left
        slow = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._head("application/json")
                self.wfile.write(json.dumps({"models": [_TAG]}).encode())

            def do_POST(self) -> None:
                messages = json.loads(self.rfile.read(int(self.headers["Content-Length"]))).get("messages")
                self._head("application/x-ndjson")
                if not messages:
                    self._line("", done=True, done_reason="load")
                    return
                count = 6 if "brief" in str(messages[-1]["content"]) else 300
                aborted = threading.Event()
                slow.aborted.append(aborted)
                for number in range(count):
                    self._line(f"mot{number} ")
                    if select.select([self.connection], [], [], _GAP)[0]:  # closed: nothing more is asked
                        aborted.set()
                        return
                self._line("", done=True, done_reason="stop", prompt_eval_count=20, eval_count=count)

            def _line(self, text: str, *, done: bool = False, **told: Any) -> None:
                message = {"role": "assistant", "content": text}
                line = {"model": MODEL, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": done, **told}
                self.wfile.write(json.dumps(line).encode() + b"\n")

            def _head(self, kind: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()

            def log_message(self, *what: Any) -> None:
                pass

            def handle(self) -> None:
                with contextlib.suppress(OSError):  # a reader that has left
                    super().handle()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
