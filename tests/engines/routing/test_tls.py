"""https: a certificate that nobody trusts is named as such, and one that is named in SSL_CERT_FILE is trusted."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.config import ROOT, load_settings
from app.engines.vllm_openai import VllmOpenAIEngine
from app.errors import EngineUnavailable
from tests.engines.routing.fault_server import FaultServer
from tests.engines.routing.parts import ask

CERTIFICATE = Path(__file__).parent / "self_signed.pem"
EVENTS = (
    b'data: {"choices": [{"index": 0, "delta": {"content": "secret"}, "finish_reason": "stop"}]}\n\n'
    b"data: [DONE]\n\n"
)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._reply("application/json", json.dumps({"data": [{"id": "mock"}]}).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._reply("text/event-stream", EVENTS)

    def _reply(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def secure() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *args: None  # type: ignore[method-assign]  # clients that do not trust it
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_certificate_that_nobody_trusts_is_named(secure: str) -> None:
    engine = VllmOpenAIEngine(load_settings(vllm_base_url=secure, vllm_model="mock"))
    status = engine.check()
    assert not status.ready
    assert "self-signed certificate" in status.detail and "SSL_CERT_FILE" in status.hint
    with pytest.raises(EngineUnavailable, match="self-signed certificate"):
        engine.chat_model().invoke("hello")


def test_beside_it_another_route_answers(secure: str) -> None:
    with FaultServer() as other:
        routes = {"a": {"base_url": secure, "model": "mock"}, "b": {"base_url": other.url, "model": "mock"}}
        engine = VllmOpenAIEngine(load_settings(llm={"routes": routes, "default_route": "a", "probe": 0}))
        told = ask(engine.chat_model(), "hello")
        assert told.is_whole("hello") and told.names == ["a", "b"]
        assert engine.routes()[0].state == "misconfigured"
        engine.close()


def test_one_in_ssl_cert_file_is_trusted(secure: str) -> None:
    code = (
        "from app.llm_utils import build_llm\nfrom app.config import load_settings\n"
        f"llm = build_llm(load_settings(vllm_base_url={secure!r}, llm_engine='vllm_openai'))\n"
        "print(llm.invoke('hello').text)"
    )
    import os

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "SSL_CERT_FILE": str(CERTIFICATE)},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("secret", "")
