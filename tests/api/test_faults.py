"""What no client would send: broken requests over bare sockets, hostile names, and callers with no business here."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.api.conftest import Written
from tests.api.parts import BEARER, ENGLISH, chat, settled, until, upload
from tests.product import Server

CHAT = "/v1/chat/completions"
JSON = {"Content-Type": "application/json"}
MB = 1_000_000


@pytest.fixture(autouse=True)
def nothing_is_broken(quoting: Server) -> Iterator[None]:
    """Whatever was sent: afterwards the server answers, and no traceback is in its log."""
    before = len(quoting.log.read_bytes())
    yield
    assert settled(quoting.url)["status"] == "ok"
    assert b"Traceback" not in quoting.log.read_bytes()[before:]


@contextmanager
def connection(running: Server) -> Iterator[socket.socket]:
    host, _, port = running.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 20) as sock:
        yield sock


def reply_of(sock: socket.socket) -> tuple[int, bytes]:
    """The status and the rest of what comes until the other side has no more to say."""
    data = b""
    while b"\r\n\r\n" not in data or not _whole(data):
        more = sock.recv(65536)
        if not more:
            break
        data += more
    return int(data.split(b" ", 2)[1]), data


def _whole(data: bytes) -> bool:
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(lengths) and len(body) >= int(lengths[0])


def post(running: Server, path: str, body: bytes, **headers: str) -> httpx.Response:
    return httpx.post(running.url + path, content=body, headers={**JSON, **headers}, timeout=60)


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error of a response in OpenAI's shape."""
    error: dict[str, Any] = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code", "hint", "request_id"}
    assert error["request_id"] == response.headers["X-Request-Id"]
    assert error["message"] and "\n" not in error["message"]
    return error


@pytest.mark.parametrize(
    "half",
    [
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Le",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{\"model\": \"hot",
        b"POST /api/documents HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n40\r\n--b\r\nContent-Disposition: form-data; name=\"fi",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /health HTTP/9.9\r\n\r\n",
    ],
)  # fmt: skip
def test_half_a_request_and_then_silence(quoting: Server, half: bytes) -> None:
    with connection(quoting) as sock:
        sock.sendall(half)
    assert httpx.get(f"{quoting.url}/health/live").is_success


@pytest.mark.parametrize("path", [CHAT, "/api/vllm/generate", "/api/engine", "/mcp"])
def test_a_body_that_is_too_large_is_refused_before_it_is_read(quoting: Server, path: str) -> None:
    with connection(quoting) as sock:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        sock.sendall(f"{head}Content-Length: {9 * MB}\r\n\r\n".encode())
        status, reply = reply_of(sock)
    assert status == 413
    assert b"larger than 8 MB" in reply


def test_the_older_door_keeps_its_own_shape_whoever_refuses(quoting: Server, written: Written) -> None:
    body, path = b'{"prompt": "Hello"}', "/api/vllm/generate"
    for response, status in (
        (post(written.server, path, body), 401),
        (post(quoting, path, body, Origin="https://evil.example"), 403),
        (httpx.get(quoting.url + path), 405),
        (post(quoting, path, b"\xff"), 400),
        (post(quoting, path, body), 503),
    ):
        assert response.status_code == status
        told = response.json()
        assert told.keys() == {"success", "error"} and told["success"] is False and told["error"]
    assert post(written.server, path, body, **BEARER).json()["success"] is True


def test_a_body_without_a_length_is_counted_while_it_comes(quoting: Server) -> None:
    sent = 0
    with connection(quoting) as sock:
        sock.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        sock.settimeout(20)
        try:
            for _ in range(400):
                sock.sendall(b"%x\r\n%s\r\n" % (65536, b" " * 65536))
                sent += 65536
        except OSError:
            pass  # it does not listen to the end
        status, reply = reply_of(sock)
    assert (status, b"larger than 8 MB" in reply) == (413, True)


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_that_is_too_large_is_refused(quoting: Server, chunked: bool) -> None:
    """1 MB of documents is allowed here, beside the 8 MB of any request."""
    data = b"x" * (10 * MB)
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
    multipart = head + data + b"\r\n--b--\r\n"
    content: Any = iter([multipart[at : at + 65536] for at in range(0, len(multipart), 65536)])
    response = httpx.post(
        f"{quoting.url}/api/documents", content=content if chunked else multipart, timeout=60,
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )  # fmt: skip
    assert response.status_code == 413
    assert "larger than" in error_of(response)["message"]


QUESTION = '"messages": [{"role": "user", "content": "Who?"}]'


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"", 400, None),
        (b"{bad", 400, None),
        (b'"text"', 400, None),
        (b"[]", 400, None),
        (b"null", 400, None),
        (b"{}", 400, "model"),
        (b"\xff\xfe\x00", 400, None),
        (b'{"model": "hotswap", "messages": [{"role": "user", "content": "\xff"}]}', 400, None),
        (b'{"model": "hotswap", "messages": [{"role": "user", "content": "\\ud800"}]}', 400, "messages[0].content"),
        (b'{"model": "\\udfff", "messages": [{"role": "user", "content": "Who?"}]}', 400, "model"),
        (f'{{"model": "hotswap", {QUESTION}, "temperature": NaN}}'.encode(), 400, "temperature"),
        (f'{{"model": "hotswap", {QUESTION}, "temperature": Infinity}}'.encode(), 400, "temperature"),
        (f'{{"model": "hotswap", {QUESTION}, "temperature": 1e400}}'.encode(), 400, "temperature"),
        (f'{{"model": "hotswap", {QUESTION}, "temperature": true}}'.encode(), 400, "temperature"),
        (f'{{"model": "hotswap", {QUESTION}, "max_tokens": {"9" * 4000}}}'.encode(), 400, "max_tokens"),
        (f'{{"model": "hotswap", {QUESTION}, "max_tokens": {"9" * 5000}}}'.encode(), 400, None),
        (f'{{"model": "hotswap", {QUESTION}, "max_tokens": 0}}'.encode(), 400, "max_tokens"),
        (f'{{"model": "hotswap", {QUESTION}, "n": true}}'.encode(), 400, "n"),
        (f'{{"model": "hotswap", {QUESTION}, "stop": ["a", "b", "c", "d", "e"]}}'.encode(), 400, "stop"),
        (f'{{"model": "hotswap", {QUESTION}, "stream": "yes"}}'.encode(), 400, "stream"),
        (b'{"model": "hotswap", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, None),
        (b'{"model": "hotswap", "messages": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}", 400, None),
        (b'{"model": "hotswap", "messages": [{"role": "tool", "content": "x"}]}', 400, "messages[0].role"),
        (b'{"model": ["hotswap"], "messages": [{"role": "user", "content": "Who?"}]}', 400, "model"),
    ],
)  # fmt: skip
def test_a_body_that_makes_no_sense(quoting: Server, body: bytes, status: int, param: str | None) -> None:
    response = post(quoting, CHAT, body)
    assert response.status_code == status, response.text
    assert error_of(response)["param"] == param


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "a" * 500]
)
def test_a_body_of_another_kind(quoting: Server, kind: str) -> None:
    response = post(quoting, CHAT, json.dumps(chat(ENGLISH)).encode(), **{"Content-Type": kind})
    assert response.status_code == 400
    error_of(response)


def test_an_upload_that_is_none(quoting: Server) -> None:
    for kind, body in [
        ("application/json", b"{}"), ("multipart/form-data", b""), ("multipart/form-data; boundary=b", b"no parts"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n\r\n--b--\r\n"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\nx\r\n--b--\r\n',
        ),
    ]:  # fmt: skip
        response = post(quoting, "/api/documents", body, **{"Content-Type": kind})
        assert response.status_code == 400, (kind, body, response.text)
        error_of(response)


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "a\\b", ".hidden", "x" * 63 + "é", "\x00", "a\r\nX-Bad: 1", " "])
def test_a_collection_cannot_be_called_so(quoting: Server, name: str) -> None:
    where = {"collection": name}
    for response in (
        httpx.post(f"{quoting.url}/api/documents", params=where, files={"files": ("a.txt", b"text")}),
        httpx.get(f"{quoting.url}/api/documents", params=where),
        httpx.delete(f"{quoting.url}/api/documents", params={**where, "doc": "lighthouse.md"}),
        post(quoting, CHAT, json.dumps({**chat(ENGLISH), "model": f"hotswap/{name}"}).encode()),
    ):
        assert response.status_code in (400, 404), response.text
        error_of(response)
        assert "X-Bad" not in response.headers


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../evil.txt", "evil.txt"), ("/etc/cron.d/evil.txt", "evil.txt"), ("C:\\Temp\\evil.txt", "evil.txt"),
        ("nul\0byte.txt", "nulbyte.txt"), ("说明 书.txt", "说明 书.txt"), ("..txt.txt", "txt.txt"),
    ],
)  # fmt: skip
def test_of_a_files_name_its_last_part_is_kept(quoting: Server, sent: str, kept: str) -> None:
    text = f"A note called {kept!r} was sent by a stranger."
    boundary = b'--b\r\nContent-Disposition: form-data; name="files"; filename="' + sent.encode() + b'"\r\n\r\n'
    where = {"collection": "hostile"}
    begun = httpx.post(
        f"{quoting.url}/api/documents", params=where, content=boundary + text.encode() + b"\r\n--b--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )  # fmt: skip
    assert begun.status_code == 202, begun.text
    until(lambda: httpx.get(quoting.url + begun.headers["Location"]).json()["state"] == "done")
    listed = httpx.get(f"{quoting.url}/api/documents", params=where).json()["documents"]
    assert [document["doc"] for document in listed] == [kept]
    removed = httpx.delete(f"{quoting.url}/api/documents", params={**where, "doc": kept})
    assert removed.json() == {"removed": [kept]}


def test_two_files_of_one_name_in_one_upload_are_refused(quoting: Server) -> None:
    """One of them would be lost in silence."""
    files = [("files", ("a/same.txt", b"One text.")), ("files", ("b/same.txt", b"Another text."))]
    response = httpx.post(f"{quoting.url}/api/documents", params={"collection": "twice"}, files=files)
    assert response.status_code == 400
    assert "same.txt" in error_of(response)["message"]
    assert httpx.get(f"{quoting.url}/api/documents", params={"collection": "twice"}).status_code == 404


@pytest.mark.parametrize("name", ["program.exe", "none", "archive.tar.gz", ".txt", "a.txt/", "..", "x.txt y"])
def test_a_file_that_cannot_be_read_is_refused_by_its_name(quoting: Server, name: str) -> None:
    response = httpx.post(f"{quoting.url}/api/documents", files={"files": (name, b"MZ")})
    assert response.status_code in (400, 415), response.text
    assert error_of(response)["param"] == "files"


def test_a_name_that_is_too_long_for_a_disk(quoting: Server) -> None:
    response = httpx.post(f"{quoting.url}/api/documents", files={"files": ("长" * 200 + ".txt", b"text")})
    assert response.status_code == 400
    assert error_of(response)["param"] == "files"


def test_a_name_in_another_encoding_does_no_harm(quoting: Server) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="\xff\xd5\xc4.txt"\r\n\r\nx\r\n--b--\r\n'
    kind = "multipart/form-data; boundary=b"
    response = post(quoting, "/api/documents?collection=encodings", part, **{"Content-Type": kind})
    assert response.status_code in (202, 400)


def test_a_damaged_file_is_told_by_its_job(quoting: Server) -> None:
    job = upload(quoting.url, {"broken.pdf": b"%PDF-1.7 nothing more"}, collection="damaged")
    assert job["state"] == "done" and job["result"]["failed"][0]["hint"]


def test_removing_is_all_or_nothing(quoting: Server) -> None:
    both = {"doc": ["lighthouse.md", "../../../etc/passwd"]}
    response = httpx.delete(f"{quoting.url}/api/documents", params=both)
    assert response.status_code == 404
    listed = httpx.get(f"{quoting.url}/api/documents").json()["documents"]
    assert "lighthouse.md" in [document["doc"] for document in listed]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "PROPFIND"])
def test_another_method_is_told_which_there_are(quoting: Server, method: str) -> None:
    response = httpx.request(method, f"{quoting.url}/api/documents")
    assert response.status_code == 405
    assert response.headers["Allow"] == "DELETE, GET, POST"
    if method != "HEAD":
        error_of(response)


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v1/nothing", "/v1/chat/completions/", "/api/", "/api/documents/../engine/x", "/health/x",
     "/v1/models/%00", "/v1/models/..%2f..%2fetc%2fpasswd", "/api/documents/jobs/%0d%0aX-Bad:%201",
     "/v1/" + "x" * 3000],
)  # fmt: skip
def test_an_unknown_address_is_not_found(quoting: Server, path: str) -> None:
    with connection(quoting) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        status, reply = reply_of(sock)
    head, _, body = reply.partition(b"\r\n\r\n")
    assert status == 404 and b"x-bad" not in head.lower()
    assert json.loads(body)["error"]["type"] == "not_found_error"


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "localhost@evil.example"},
    {"X-Forwarded-For": "10.0.0.1"},
    {"X-Forwarded-Host": "hotswap.example"},
    {"X-Real-IP": "10.0.0.1"},
    {"Forwarded": "for=10.0.0.1"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", ["/v1/models", "/health", "/metrics", "/openapi.json", "/mcp"])
def test_without_keys_only_this_machine_is_let_in(quoting: Server, path: str, headers: dict[str, str]) -> None:
    response = httpx.get(quoting.url + path, headers=headers)
    assert response.status_code == 403
    assert error_of(response)["code"] == "door_closed"


def test_a_foreign_page_changes_nothing_with_a_simple_form(quoting: Server) -> None:
    """The one kind of upload that a browser sends anywhere without asking first."""
    response = httpx.post(
        f"{quoting.url}/api/documents", files={"files": ("evil.txt", b"text")}, headers={"Origin": "https://evil.example"}
    )
    assert response.status_code == 403
    assert "evil.txt" not in str(httpx.get(f"{quoting.url}/api/documents").json())


def test_our_own_page_and_a_key_from_behind_a_proxy_are_let_in(quoting: Server, written: Written) -> None:
    own = httpx.get(f"{quoting.url}/v1/models", headers={"Origin": quoting.url})
    assert own.is_success
    proxied = {**BEARER, "X-Forwarded-For": "10.0.0.1", "Host": "hotswap.example"}
    assert httpx.get(f"{written.server.url}/v1/models", headers=proxied).is_success
    foreign = httpx.get(f"{written.server.url}/v1/models", headers={**BEARER, "Origin": "https://evil.example"})
    assert foreign.status_code == 403


@pytest.mark.parametrize(
    "given", ["Basic Zmlyc3Qta2V5", "Bearer", "first-key", "Bearer first-key2", "Bearer FIRST-KEY", "Bearer é"]
)
def test_what_is_no_key_opens_nothing(written: Written, given: str) -> None:
    response = httpx.get(f"{written.server.url}/v1/models", headers={"Authorization": given.encode()})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert error_of(response)["code"] == "invalid_api_key"
    assert httpx.get(f"{written.server.url}/health/live").is_success, "never needs one"


@pytest.mark.parametrize("number", ["a\tb", "x" * 65, "é", "<script>", "a b", ""])
def test_a_number_that_could_do_harm_is_not_repeated(quoting: Server, number: str) -> None:
    response = httpx.get(f"{quoting.url}/v1/nothing", headers={"X-Request-Id": number.encode()})
    assert response.headers["X-Request-Id"] != number
    error_of(response)


def test_a_clients_own_number_is_taken_over(quoting: Server) -> None:
    response = httpx.get(f"{quoting.url}/v1/nothing", headers={"X-Request-Id": "mine-1.2_3"})
    assert error_of(response)["request_id"] == "mine-1.2_3"


@pytest.mark.parametrize(
    "model", ["/etc", "../secrets", "~/models", "data/samples", "C:\\models", "a/../b", "x\0y", "data"]
)
def test_no_folder_of_this_machine_is_loaded_because_somebody_asks(quoting: Server, model: str) -> None:
    response = post(quoting, "/api/engine", json.dumps({"engine": "hf", "model": model}).encode())
    assert response.status_code == 400, response.text
    assert "is no name of a model" in error_of(response)["message"]


@pytest.mark.parametrize("model", ["qwen3:8b", "Qwen/Qwen3-8B", "hf.co/org/name:Q4_K_M", "org/name@main"])
def test_a_models_name_is_taken(quoting: Server, model: str) -> None:
    response = post(quoting, "/api/engine", json.dumps({"engine": "extractive", "model": model}).encode())
    assert response.status_code == 202, response.text
