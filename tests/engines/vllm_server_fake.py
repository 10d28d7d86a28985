"""Stands in for `vllm.entrypoints.openai.api_server`: takes its command line and serves a part of its API.

The variable FAKE_VLLM (JSON) says how it goes wrong: `says` lines that it prints first, `dies` the exit status that it
ends with then, `slow` seconds until it listens, `health` the status of /health; `mute` answers no request, `thinks`
never writes a token, `refuses` has the words of a failed completion, `stubborn` ignores SIGTERM, `once` names a file:
only the first start goes well. `POST /die` ends it with the status and the last words that the request brings.
`record` names a file that gets what it was started with. It starts a child that would outlive it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

GIVEN: dict[str, Any] = json.loads(os.environ.get("FAKE_VLLM", "{}"))
FLAGS = dict(arg[2:].split("=", 1) for arg in sys.argv[1:] if arg.startswith("--") and "=" in arg)
NAME = FLAGS.get("served-model-name", "")


class Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if GIVEN.get("mute"):
            time.sleep(1000)
        if self.path == "/health":
            self._answer(GIVEN.get("health", 200), {})
        elif self._may():
            self._answer(200, {"data": [{"id": NAME, "max_model_len": 2048}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/die":
            print(body["says"], flush=True)
            os._exit(body["code"])
        if not self._may():
            return
        if GIVEN.get("thinks"):
            print("thinking", flush=True)
            time.sleep(1000)
        if refused := GIVEN.get("refuses"):
            self._answer(400, {"error": {"message": refused}})
        else:
            self._answer(200, {"model": body["model"], "choices": [{"text": "x", "finish_reason": "length"}]})

    def _may(self) -> bool:
        key = os.environ.get("VLLM_API_KEY")
        if key and self.headers.get("Authorization") != f"Bearer {key}":
            self._answer(401, {"error": "Unauthorized"})
            return False
        return True

    def _answer(self, status: int, data: object) -> None:
        text = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def main() -> None:
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(1000)"])
    if record := GIVEN.get("record"):
        told = {"argv": sys.argv[1:], "environment": dict(os.environ), "pid": os.getpid(), "child": child.pid}
        written = Path(record).with_suffix(".part")  # whoever finds the file finds it whole
        written.write_text(json.dumps(told))
        written.replace(record)
    for line in GIVEN.get("says", []):
        print(line, flush=True)
    if "dies" in GIVEN:
        sys.exit(GIVEN["dies"])
    if once := GIVEN.get("once"):
        if Path(once).exists():
            sys.exit("OSError: it only went well once")
        Path(once).touch()
    if GIVEN.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(GIVEN.get("slow", 0))
    server = ThreadingHTTPServer((FLAGS["host"], int(FLAGS["port"])), Api)
    server.daemon_threads = True
    server.serve_forever()


main()
