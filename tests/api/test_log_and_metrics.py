"""What a server tells of itself: a log that programs can read, and numbers whose names stay few."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import Written
from tests.api.parts import BEARER, ENGLISH, KEYS, chat
from tests.product import Server

HOSTILE = [f"/v1/{number}/x" for number in range(40)] + ["/v1/models/a%2fb%00", "/api/é", '/health/"}%0a', "/routes"]


def lines_of(running: Server) -> list[dict[str, Any]]:
    """The log's lines, every one of them JSON."""
    return [json.loads(line) for line in running.log.read_text(encoding="utf-8").splitlines()]


def samples(running: Server, **headers: str) -> Iterator[tuple[str, dict[str, str], float]]:
    text = httpx.get(f"{running.url}/metrics", headers=headers).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def value(running: Server, name: str, **labels: str) -> float:
    found = samples(running, **BEARER)
    return sum(number for sample, given, number in found if sample == name and labels.items() <= given.items())


def test_every_line_of_the_log_is_json_and_names_its_request(written: Written) -> None:
    server, question = written.server, f"{ENGLISH} mode:cut"
    broken = httpx.post(
        f"{server.url}/v1/chat/completions", json=chat(question), headers={**BEARER, "X-Request-Id": "my-number"},
        timeout=60,
    )  # fmt: skip
    assert broken.json()["error"]["request_id"] == broken.headers["X-Request-Id"] == "my-number"
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(b"\x16\x03\x01 no HTTP at all\r\n\r\n")
        sock.recv(1000)
    told = lines_of(server)
    assert all(line.keys() >= {"time", "level", "logger", "message"} for line in told)
    mine = [line for line in told if line.get("request_id") == "my-number"]
    assert any("broke off" in line["message"] for line in mine)
    assert any("Invalid HTTP request" in line["message"] for line in told), "the web server's lines are among them"
    assert told[0]["message"] == f"listens on {server.url}"
    assert not any(key in server.log.read_text(encoding="utf-8") for key in KEYS)


def test_the_numbers_are_read_by_prometheus_own_parser(written: Written) -> None:
    before = value(written.server, "hotswap_requests_total", path="/v1/chat/completions", status="200")
    answered = value(written.server, "hotswap_answers_total", engine="vllm_openai", outcome="answered")
    body = chat(ENGLISH)
    assert httpx.post(f"{written.server.url}/v1/chat/completions", json=body, headers=BEARER, timeout=60).is_success
    after = value(written.server, "hotswap_requests_total", path="/v1/chat/completions", status="200")
    assert after == before + 1
    assert value(written.server, "hotswap_answers_total", engine="vllm_openai", outcome="answered") == answered + 1
    names = {name for name, _, _ in samples(written.server, **BEARER)}
    assert {"hotswap_tasks_active", "hotswap_tasks_waiting", "hotswap_engine_live", "process_open_fds"} <= names


@pytest.mark.parametrize("method", ["GET", "BREW"])
def test_hostile_requests_make_no_new_names(quoting: Server, method: str) -> None:
    def names() -> set[tuple[str, ...]]:
        return {(name, *sorted(labels.items())) for name, labels, _ in samples(quoting)}  # type: ignore[arg-type]

    with httpx.Client(base_url=quoting.url) as client:
        client.request(method, "/v1/nothing/at/all")
        client.request(method, "/v1/models/nothing")
        client.request(method, "/routes")
        names()  # to ask is counted too
        known = names()
        for path in HOSTILE:
            client.request(method, path, headers={"X-Request-Id": path.encode("utf-8", "replace").hex()[:64]})
        client.post("/v1/chat/completions", json={**chat(ENGLISH), "model": "hotswap/\"}\n# evil"})
        added = names() - known
    assert {dict(labels).get("path", "") for _, *labels in added} <= {"", "/v1/chat/completions"}  # type: ignore[arg-type]
    paths = {labels["path"] for name, labels, _ in samples(quoting) if name == "hotswap_requests_total"}
    described = {*quoting.get("/openapi.json")["paths"], "/openapi.json", "/v1/models/{model:path}"}
    assert paths <= {"other", "/mcp", *described}


def test_an_error_is_counted_by_its_code(quoting: Server) -> None:
    def counted() -> float:
        return sum(
            number for name, labels, number in samples(quoting)
            if name == "hotswap_errors_total" and labels["code"] == "model_unknown"
        )  # fmt: skip

    before = counted()
    httpx.post(f"{quoting.url}/v1/chat/completions", json={**chat(ENGLISH), "model": "gpt-4o"})
    assert counted() == before + 1
