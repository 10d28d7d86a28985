"""deploy/nginx.conf in a real nginx, before a little server in place of the app; only ports and certificate differ."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from app.config import Settings
from tests.deploy.files import needed, serving, text

NAME = "hotswap.example.org"
WAIT = 5.0


class App(BaseHTTPRequestHandler):
    """Streams two words, the second when the first has arrived; takes websockets; else tells what it was asked."""

    protocol_version = "HTTP/1.1"
    arrived = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/v1/chat/completions":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._chunk("data: one\n\n")
            self._chunk("data: two\n\n" if self.arrived.wait(WAIT) else "data: too late\n\n")
            self.wfile.write(b"0\r\n\r\n")
        elif self.headers.get("Upgrade") == "websocket" and self.headers.get("Connection") == "upgrade":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(b"hello")
            self.wfile.write(self.rfile.read(4).upper())
            self.close_connection = True
        else:
            body = json.dumps({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

    do_POST = do_GET

    def _chunk(self, words: str) -> None:
        self.wfile.write(f"{len(words):x}\r\n{words}\r\n".encode())
        self.wfile.flush()

    def log_message(self, *args: Any) -> None: ...


@dataclass(frozen=True)
class Front:
    """The running nginx."""

    http: int
    https: int
    certificate: Path

    def socket(self) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.certificate))
        return context.wrap_socket(socket.create_connection(("127.0.0.1", self.https), WAIT), server_hostname=NAME)

    @contextmanager
    def ask(self, method: str, path: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.https, timeout=WAIT)
        with self.socket() as connection.sock:
            connection.request(method, path, headers={"Host": f"{NAME}:{self.https}", **headers})
            with connection.getresponse() as response:
                yield response


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def configuration(folder: Path, site: str) -> Path:
    """A whole nginx.conf around the site, with every file below ``folder``."""
    (folder / "site.conf").write_text(site, encoding="utf-8")
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root; " if os.geteuid() == 0 else ""
    main = folder / "nginx.conf"
    main.write_text(
        f"{user}daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {paths} include {folder}/site.conf; }}\n",
        encoding="utf-8",
    )
    return main


def check(main: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([needed("nginx"), "-t", "-q", "-c", main], capture_output=True, text=True)


def site_of(text_of_site: str, certificate: Path, app: int, http: int, https: int) -> str:
    """The site with this machine's ports and certificate."""
    replaced = [
        (r"listen \[::\]:.*\n", "\n"),
        (r"listen 80;", f"listen 127.0.0.1:{http};"),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{https} ssl;"),
        (r"/etc/letsencrypt/live/\S+/fullchain\.pem", str(certificate)),
        (r"/etc/letsencrypt/live/\S+/privkey\.pem", str(certificate.with_name("key.pem"))),
        (r"127\.0\.0\.1:8501", f"127.0.0.1:{app}"),
    ]
    for pattern, replacement in replaced:
        text_of_site, count = re.subn(pattern, replacement, text_of_site)
        assert count, pattern
    return text_of_site


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    command = [needed("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "certificate.pem"


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("nginx")
    found = Front(free_port(), free_port(), certificate)
    with serving(App) as app:
        site = site_of(text("deploy/nginx.conf"), certificate, app, found.http, found.https)
        main = configuration(folder, site)
        checked = check(main)
        assert (checked.returncode, checked.stderr) == (0, "")
        process = subprocess.Popen([needed("nginx"), "-c", main], stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + WAIT
            while not listens(found.https) and time.monotonic() < deadline:
                assert process.poll() is None, (folder / "error.log").read_text()
                time.sleep(0.02)
            yield found
        finally:
            process.terminate()
            process.wait()


def test_a_mistake_would_be_found(tmp_path: Path, certificate: Path) -> None:
    site = site_of(text("deploy/nginx.conf"), certificate, 1, free_port(), free_port())
    checked = check(configuration(tmp_path, site.replace("proxy_buffering off", "proxy_bufering off")))
    assert checked.returncode != 0 and "proxy_bufering" in checked.stderr


def test_words_come_as_they_are_written(front: Front) -> None:
    App.arrived.clear()
    with front.ask("POST", "/v1/chat/completions") as response:
        assert response.readline() == b"data: one\n"
        App.arrived.set()
        assert response.read() == b"\ndata: two\n\n"


def test_websockets_pass(front: Front) -> None:
    with front.socket() as page:
        request = ["GET /_stcore/stream HTTP/1.1", f"Host: {NAME}", "Upgrade: websocket", "Connection: Upgrade", "", ""]
        page.sendall("\r\n".join(request).encode())
        answer = page.makefile("rb")
        assert answer.readline().startswith(b"HTTP/1.1 101 ")
        while answer.readline() not in (b"\r\n", b""):
            pass
        assert answer.read(5) == b"hello"
        page.sendall(b"ping")
        assert answer.read(4) == b"PING"


def test_the_app_learns_who_asked_and_how(front: Front) -> None:
    forged = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "http"}
    with front.ask("GET", "/health", **forged) as response:
        told = json.load(response)
    assert told["host"] == f"{NAME}:{front.https}"
    assert told["x-forwarded-proto"] == "https"
    assert told["x-forwarded-for"] == told["x-real-ip"] == "127.0.0.1"
    assert "connection" not in told or told["connection"] == ""
    assert response.headers["Strict-Transport-Security"]


def test_the_key_reaches_the_app(front: Front) -> None:
    with front.ask("GET", "/metrics", Authorization="Bearer a-key") as response:
        assert json.load(response)["authorization"] == "Bearer a-key"


def test_http_goes_to_https(front: Front) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", front.http, timeout=WAIT)
    connection.request("GET", "/a?b=c", headers={"Host": NAME})
    response = connection.getresponse()
    assert (response.status, response.headers["Location"]) == (301, f"https://{NAME}/a?b=c")
    connection.close()


def test_uploads_are_refused_by_the_app_and_not_by_nginx() -> None:
    megabytes = re.search(r"client_max_body_size (\d+)m;", text("deploy/nginx.conf"))
    page = tomllib.loads(text(".streamlit/config.toml"))["server"]["maxUploadSize"]
    assert megabytes and int(megabytes[1]) > max(page, Settings.model_fields["max_upload_mb"].default)


def test_what_is_far_too_large_is_refused_at_once(front: Front) -> None:
    with front.ask("POST", "/api/documents", **{"Content-Length": "300000000"}) as response:
        assert response.status == 413


def test_the_command_lines_door_is_closed(front: Front) -> None:
    with front.ask("POST", "/control/ask") as response:
        assert response.status == 404
