"""``python -m app health`` as its user runs it, against servers that are well and servers that are not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.engines.routing.fault_server import MODEL, FaultServer
from tests.engines.servers import Server, silent_url, text_reply, unused_url
from tests.product import Ended, command, server

KEY = "sk-geheim-123"
KEYS = {
    "name", "url", "model", "healthy", "ms", "reachable", "models", "max_model_len", "served_as_configured",
    "completion_ok", "ttft_ms", "resume", "problem", "error", "hint", "weight", "tier", "fallback",
}  # fmt: skip


def health(folder: Path, *args: str, routes: dict[str, Any] | None = None, **variables: str) -> Ended:
    """The command with these routes in its settings file, and no folder of data."""
    config = folder / "config.yaml"
    config.write_text(json.dumps({"llm": {"routes": routes}} if routes else {}), encoding="utf-8")
    done = command(folder / "state", "health", *args, CONFIG_FILE=str(config), **variables)
    assert not (folder / "state").exists(), "it needs no data folder"
    assert "Traceback" not in done.err
    return done


@pytest.fixture
def two() -> Iterator[tuple[FaultServer, FaultServer]]:
    with ExitStack() as stack:
        yield stack.enter_context(FaultServer()), stack.enter_context(FaultServer())


def test_all_are_healthy(tmp_path: Path, two: tuple[FaultServer, FaultServer]) -> None:
    routes = {"left": {"base_url": two[0].url, "model": MODEL}, "r": {"base_url": two[1].url, "model": MODEL}}

    done = health(tmp_path, "--json", routes=routes)
    assert (done.code, done.err) == (0, "")
    assert done.out.count("\n") == 1
    assert (done.json["healthy"], done.json["total"]) == (2, 2)
    assert [route["name"] for route in done.json["routes"]] == ["left", "r"]
    for route, there in zip(done.json["routes"], two, strict=True):
        assert route.keys() == KEYS
        assert (route["url"], route["models"], route["max_model_len"]) == (there.url, [MODEL], 4096)
        assert (route["reachable"], route["served_as_configured"], route["completion_ok"]) == (True, True, True)
        assert (route["resume"], route["error"]) == ("tokens", "")
        assert 0 < route["ttft_ms"] < 5000

    shown = health(tmp_path, routes=routes)
    assert (shown.code, shown.err) == (0, "")
    left, right, total = shown.out.splitlines()
    assert left.split()[:4] == ["left", two[0].url, MODEL, "healthy"]
    assert left.endswith(" ms") and len(left) == len(right)
    assert left.index(MODEL) == right.index(MODEL)
    assert total == "2/2 healthy"


def test_some_are_not_and_each_says_why(tmp_path: Path, two: tuple[FaultServer, FaultServer]) -> None:
    well, locked = two
    locked.key = "another"
    page = text_reply(200, "<html>hello</html>")
    with (
        FaultServer(model="other") as other,
        Server({"GET /v1/models": page, "POST /v1/chat/completions": page}) as web,
        silent_url() as silent,
    ):
        urls = {
            "well": well.url, "down": unused_url(), "other": other.url, "locked": locked.url, "web": web.url,
            "silent": silent,
        }  # fmt: skip
        routes = {name: {"base_url": url, "model": MODEL, "api_key": KEY} for name, url in urls.items()}
        began = time.monotonic()
        done = health(tmp_path, "--json", routes=routes)
        took = time.monotonic() - began
        shown = health(tmp_path, routes={name: route for name, route in routes.items() if name != "silent"})

    assert took < 16, "12 seconds, and the start of Python on a busy machine"
    assert (done.code, done.json["healthy"], done.json["total"]) == (1, 1, 6)
    found = {route["name"]: route for route in done.json["routes"]}
    words = {
        "down": "No server runs", "other": f"does not serve {MODEL}", "locked": "api_key is wrong",
        "web": "no OpenAI-compatible server", "silent": "does not answer",
    }  # fmt: skip
    for name, expected in words.items():
        assert not found[name]["healthy"] and not found[name]["completion_ok"]
        assert expected in found[name]["error"]
        assert found[name]["hint"].endswith(".")
    reachable = {name for name, route in found.items() if route["reachable"]}
    assert reachable == {"well", "other", "locked", "web"}
    assert found["other"]["models"] == ["other"]

    assert shown.code == 1
    lines = shown.out.splitlines()
    assert lines[5] == "1/5 healthy"
    assert "It serves other." in lines[2]
    assert "other: Set llm.routes.other.model to other, or leave it empty." in lines[6:]
    assert not any(line.startswith("well:") for line in lines[6:])
    assert KEY not in done.out + done.err + shown.out + shown.err


def test_none_is_healthy(tmp_path: Path) -> None:
    urls = f"{unused_url()},{unused_url()}"

    done = health(tmp_path, "--json", VLLM_BASE_URL=urls)
    assert (done.code, done.json["healthy"], done.json["total"]) == (3, 0, 2)
    assert [route["url"] for route in done.json["routes"]] == [f"{url}/v1" for url in urls.split(",")]

    shown = health(tmp_path, VLLM_BASE_URL=urls)
    assert (shown.code, shown.out.splitlines()[2]) == (3, "0/2 healthy")
    assert "vllm-serve" in shown.out


def test_none_is_configured(tmp_path: Path) -> None:
    done = health(tmp_path, "--json")
    assert (done.code, done.json) == (3, {"healthy": 0, "total": 0, "routes": []})

    shown = health(tmp_path)
    assert (shown.code, shown.out) == (3, "")
    for err in (done.err, shown.err):
        assert len(err.splitlines()) == 1
        assert "No vLLM server is set." in err and "VLLM_BASE_URL" in err


def test_a_name_and_password_in_an_address_are_sent_and_never_shown(tmp_path: Path) -> None:
    with FaultServer() as there:
        url = there.url.replace("//", f"//reader:{KEY}@")
        done = health(tmp_path, "--json", VLLM_BASE_URL=f"{url},{unused_url().replace('//', f'//reader:{KEY}@')}")
        shown = health(tmp_path, VLLM_BASE_URL=url)

    assert (done.code, shown.code) == (1, 0)
    assert all(asked.headers["authorization"].startswith("Basic ") for asked in there.asked)
    assert KEY not in done.out + done.err + shown.out + shown.err
    assert "reader" not in done.out + shown.out


def test_offline_a_server_elsewhere_is_told_and_not_asked(tmp_path: Path) -> None:
    with FaultServer() as here:
        done = health(tmp_path, "--json", OFFLINE="1", VLLM_BASE_URL=f"{here.url},http://gpu-box.example:8000")

    assert done.code == 1
    one, other = done.json["routes"]
    assert one["healthy"] and not other["reachable"]
    assert "OFFLINE" in other["error"] + other["hint"]
    assert done.err == ""


def test_it_works_beside_a_running_server(tmp_path: Path) -> None:
    with FaultServer() as there, server(tmp_path / "state", "--no-page", LLM_ENGINE="extractive"):
        done = command(tmp_path / "state", "health", "--json", VLLM_BASE_URL=there.url)

    assert (done.code, done.json["healthy"]) == (0, 1)


def test_a_wrong_setting_is_told_without_a_result(tmp_path: Path) -> None:
    done = health(tmp_path, "--json", routes={"a": {"base_url": "gpu:8000"}})

    assert (done.code, done.out) == (1, "")
    assert "llm.routes.a.base_url is 'gpu:8000', but must begin with http" in done.err
