"""/openapi.json says what is so: Schemathesis asks for everything in it, rightly and wrongly."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.api.parts import CLIENTS, settled
from tests.product import Server
from tools import clients


@pytest.fixture(scope="module")
def description(quoting: Server) -> dict[str, Any]:
    found: dict[str, Any] = quoting.get("/openapi.json")
    return found


def operations(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }


def test_every_door_tells_how_it_may_refuse(description: dict[str, Any]) -> None:
    found = operations(description)
    assert len(found) >= 19
    for name, operation in found.items():
        assert operation["description"], name
        if name != "GET /health/live":
            assert {"401", "403", "413", "429"} <= operation["responses"].keys(), name
        assert "422" not in operation["responses"], f"{name} never gives it"
    chat = found["POST /v1/chat/completions"]["responses"]
    assert chat.keys() >= {"200", "400", "404", "409", "503"}
    assert chat["200"]["content"].keys() == {"application/json", "text/event-stream"}
    assert chat["400"]["content"]["application/json"]["schema"]["$ref"].endswith("/Failed")


def test_what_is_not_to_be_had_is_told_with_the_values_that_pass(description: dict[str, Any]) -> None:
    fields = description["components"]["schemas"]["ChatRequest"]["properties"]
    assert fields["n"] == {"enum": [None, 1]}
    assert fields["tools"] == {"enum": [None, []]}


def schemathesis(where: Path, *args: str) -> tuple[int, str]:
    """How a run ends, and what it says."""
    command = [str(clients.python().with_name("schemathesis")), "--config-file", str(CLIENTS / "schemathesis.toml")]
    done = subprocess.run(
        [*command, "run", "--no-color", "--generation-database", "none", "--request-timeout", "30", *args],
        cwd=where, capture_output=True, text=True, encoding="utf-8", timeout=280,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def holds_for_all(running: Server, where: Path, description: dict[str, Any], *args: str) -> None:
    code, told = schemathesis(where, f"{running.url}/openapi.json", "--continue-on-failure", *args)
    assert code == 0, told[-6000:]
    tested = re.search(r"Tested: (\d+)", told)
    assert tested and int(tested[1]) == len(operations(description)), told[-2000:]
    settled(running.url)
    assert "Traceback" not in running.log.read_text(), running.log.read_text()[-4000:]


def test_the_api_does_what_its_description_says(quoting: Server, tmp_path: Path, description: dict[str, Any]) -> None:
    holds_for_all(quoting, tmp_path, description, "-n", "10", "--seed", "1")


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 5))
def test_it_does_so_in_thousands_of_cases(
    quoting: Server, tmp_path: Path, description: dict[str, Any], seed: int
) -> None:
    holds_for_all(quoting, tmp_path, description, "-n", "200", "--seed", str(seed))


def test_a_description_that_lies_is_found_out(quoting: Server, tmp_path: Path, description: dict[str, Any]) -> None:
    """The check can fail: here by an answer that is left out."""
    found = copy.deepcopy(description["paths"]["/api/documents/jobs/{number}"])
    del found["get"]["responses"]["404"]
    lie = tmp_path / "lie.json"
    lie.write_text(json.dumps({**description, "paths": {"/api/documents/jobs/{number}": found}}))
    code, told = schemathesis(tmp_path, str(lie), "--url", quoting.url, "-n", "3")
    assert code == 1 and "Undocumented status code" in told
