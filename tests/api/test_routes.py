"""The HTTP doors beside the page."""

from __future__ import annotations

import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.product import Server, server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("api") / "state", "--no-page") as found:
        yield found


def test_health_names_the_engine_and_why_not_the_others(running: Server) -> None:
    health = running.get("/health")
    assert health["status"] == "ok"
    assert health["llm_engine"] == "extractive"
    states = {engine["name"]: engine for engine in health["engines"]}
    assert list(states) == ["vllm_openai", "ollama", "extractive"]
    assert states["extractive"]["ready"] is True
    assert states["ollama"]["ready"] is False
    assert states["ollama"]["detail"]
    assert states["ollama"]["hint"]


@pytest.mark.parametrize("token", [None, "Bearer wrong", "Bearer "])
def test_the_control_door_is_shut_to_strangers(running: Server, token: str | None) -> None:
    headers = {"Content-Type": "application/json", **({"Authorization": token} if token else {})}
    request = urllib.request.Request(f"{running.url}/control/engines", b"{}", headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 403
    refused.value.close()


def test_the_secret_is_for_the_folders_user_alone(running: Server) -> None:
    secret = Path(str(running.log).rsplit("-", 1)[0]) / "server.json"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
