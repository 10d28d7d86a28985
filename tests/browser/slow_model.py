"""A server such as vLLM's, whose model writes five words a second."""

from __future__ import annotations

import contextlib
import json
import select
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = [f"word{number} " for number in range(150)]  # half a minute
_GAP = 0.2  # seconds


def event(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    """One line of an answer's stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "slow", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n".encode()


class SlowModel:
    """Serves from its making to :meth:`stop`. Asked to be brief it says six words."""

    def __init__(self) -> None:
        self.aborted: list[threading.Event] = []  # of each answer: set once its reader has left
        slow = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._head("application/json")
                self.wfile.write(json.dumps({"data": [{"id": "slow", "max_model_len": 4096}]}).encode())

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._head("text/event-stream")
                if 1 in (asked.get("max_tokens"), asked.get("max_completion_tokens")):  # is it there?
                    self.wfile.write(event({"content": WORDS[0]}))
                else:
                    self._answer(WORDS[:6] if "brief" in str(asked["messages"][-1]["content"]) else WORDS)
                self.wfile.write(event({}, "stop") + b"data: [DONE]\n\n")

            def _answer(self, words: list[str]) -> None:
                aborted = threading.Event()
                slow.aborted.append(aborted)
                for word in words:
                    self.wfile.write(event({"content": word}))
                    if select.select([self.connection], [], [], _GAP)[0]:  # closed: nothing more is asked
                        aborted.set()
                        return

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
