"""The HTTP doors beside the page."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engines.registry import ORDER
from tests.product import ROOT, Server, command, environment, free_port, server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("api") / "state", "--no-page") as found:
        yield found


def secret_of(running: Server) -> Path:
    """The file with the address and the secret of a server."""
    return Path(str(running.log).rsplit("-", 1)[0]) / "server.json"


def test_health_names_the_engine_and_why_not_the_others(running: Server) -> None:
    health = running.get("/health")
    assert health["status"] == "ok"
    assert health["llm_engine"] == "extractive"
    states = {engine["name"]: engine for engine in health["engines"]}
    assert list(states) == list(ORDER)
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


@pytest.mark.parametrize("body", [b"{bad", b"[]", b"", b"\xff"])
def test_a_body_that_is_no_object_is_refused_in_one_line(running: Server, body: bytes) -> None:
    token = json.loads(secret_of(running).read_text(encoding="utf-8"))["token"]
    request = urllib.request.Request(
        f"{running.url}/control/engines", body, {"Authorization": f"Bearer {token}"}, method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 400
    assert json.load(refused.value)["error"]["code"] == "usage_error"
    refused.value.close()
    assert "Traceback" not in running.log.read_text()


def test_the_secret_is_for_the_folders_user_alone(running: Server) -> None:
    assert stat.S_IMODE(secret_of(running).stat().st_mode) == 0o600


def test_streamlits_own_command_is_the_same_server_and_keeps_to_this_machine(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.headless=true",
         f"--server.port={free_port()}", "--server.address=0.0.0.0"],
        cwd=ROOT, env=environment(tmp_path / "state"), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "0.0.0.0" in refused.stderr
    assert "Traceback" not in refused.stderr

    with server(tmp_path / "state", program=("streamlit", "run", "streamlit_app.py")) as running:
        assert running.get("/health")["llm_engine"] == "extractive"
        assert command(tmp_path / "state", "engines", "--json").json["engine"] == "extractive"
        running.stop()
        assert "Traceback" not in running.log.read_text()
        assert "External" not in running.log.read_text()
