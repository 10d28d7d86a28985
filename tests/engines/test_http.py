"""Addresses, error texts, and requests that cannot hang."""

from __future__ import annotations

import json
import threading
import time

import httpx
import pytest

from app.engines.http import client_options, error_text, fetch, is_loopback, on_this_machine, shown
from app.errors import EngineUnavailable
from tests.engines.servers import Reply, Server, json_reply


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "a.localhost"])
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["192.168.1.5", "example.org", "host.docker.internal", "", "localhost.example.org"])
def test_other_machines_are_not(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://anna:geheim@host:11434/x", "http://host:11434/x"),
        ("http://anna:ge@heim@host", "http://host"),
        ("http://host/a@b", "http://host/a@b"),
        ("http://host", "http://host"),
    ],
)
def test_addresses_are_shown_without_passwords(url: str, expected: str) -> None:
    assert shown(url) == expected


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", ""),
        ("plain words\n over lines", "plain words over lines"),
        ('{"error":"model \'x\' not found"}', "model 'x' not found"),
        ('{"error":{"message":"too long","code":400}}', "too long"),
        (json.dumps({"error": json.dumps({"error": {"code": 400, "message": "nested"}})}), "nested"),
        ({"message": "already read"}, "already read"),
        ('{"detail":"Not Found"}', "Not Found"),
        ("[1, 2]", "[1, 2]"),
        ("12", "12"),
        ('{"other":1}', ""),
        ("<html><h1>502 Bad Gateway</h1></html>", ""),
        ("x" * 1000, "x" * 300),
    ],
)
def test_error_texts_are_unwrapped_to_one_line(body: object, text: str) -> None:
    assert error_text(body) == text


def test_a_proxy_never_leads_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Server({"GET /": json_reply(200, {"here": True})}) as there:
        assert fetch("GET", f"{there.url}/").json() == {"here": True}
    assert client_options("http://192.168.1.5:11434")["trust_env"] is True


def test_a_proxy_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://proxy:1")
    assert client_options("http://127.0.0.1:11434")["trust_env"] is False
    with pytest.raises(EngineUnavailable, match="proxy") as caught:
        client_options("http://192.168.1.5:11434")
    assert "NO_PROXY" in caught.value.hint


def test_a_dripping_server_is_given_up_in_time() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    with Server({"GET /": Reply((head, *[b"x"] * 20), gap=0.05)}) as there:
        begun = time.monotonic()
        with pytest.raises(httpx.TimeoutException):
            fetch("GET", f"{there.url}/", seconds=0.3)
        assert time.monotonic() - begun < 1
    for thread in threading.enumerate():
        if thread.name == "engine-check":
            thread.join(10)


@pytest.mark.parametrize(
    ("url", "here"),
    [("http://127.0.0.1:11434", True), ("http://localhost", True), ("http://10.0.0.7", False), ("http://[", False)],
)
def test_which_addresses_are_on_this_machine(url: str, here: bool) -> None:
    assert on_this_machine(url) is here
