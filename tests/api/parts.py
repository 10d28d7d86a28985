"""What the tests of the API share: a server with documents, clients in their own environment, and waiting."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.api.upstream import Upstream
from tests.engines.routing.fault_server import MODEL
from tests.product import DOCUMENTS, Server, server
from tools import clients

CLIENTS = Path(__file__).parent / "clients"
KEYS = ("first-key", "second-key")
BEARER = {"Authorization": f"Bearer {KEYS[0]}"}
ENGLISH = "Who built the lighthouse of Skarvoy?"
CHINESE = "青屿灯塔是谁主持修建的？"
NOWHERE = "What does the parliament of Mars decide about taxes on cheese?"


def chat(question: str, **more: Any) -> dict[str, Any]:
    """The body of a question."""
    return {"model": "hotswap", "messages": [{"role": "user", "content": question}], **more}


def asked_by(script: str, url: str, key: str = "none", **more: Any) -> dict[str, Any]:
    """What ``clients/SCRIPT`` tells of the server at ``url``: one JSON object. It reaches this machine alone."""
    nowhere = "http://127.0.0.1:9"
    proxies = {"HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    order = json.dumps({"url": url, "key": key, **more})
    done = subprocess.run(
        [str(clients.python()), str(CLIENTS / script), order], env={**os.environ, **proxies}, capture_output=True,
        text=True, timeout=120, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What ``condition`` gives once it is something."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)
    return found


def upload(
    url: str, files: Mapping[str, bytes], headers: Mapping[str, str] | None = None, collection: str | None = None
) -> dict[str, Any]:
    """The job of an upload once it has ended."""
    parts = [("files", (name, data)) for name, data in files.items()]
    where = {"collection": collection} if collection else {}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        begun = client.post("/api/documents", files=parts, params=where)
        assert begun.status_code == 202, begun.text

        def ended() -> dict[str, Any] | None:
            job: dict[str, Any] = client.get(begun.headers["Location"]).json()
            return job if job["state"] in ("done", "failed", "cancelled") else None

        job: dict[str, Any] = until(ended, 100)
        return job


def give_documents(url: str, headers: Mapping[str, str] | None = None) -> None:
    """The documents of tests.product; those in Chinese also as a collection of their own."""
    files = {Path(name).name: text.encode() for name, text in DOCUMENTS.items()}
    chinese = {name: data for name, data in files.items() if not name.isascii()}
    for given, collection in ((files, None), (chinese, "中文 notes")):
        job = upload(url, given, headers, collection)
        assert job["state"] == "done" and not job["result"]["failed"], job


def settled(url: str, headers: Mapping[str, str] | None = None, seconds: float = 30.0) -> dict[str, Any]:
    """The server's health once nobody is at work or in line."""

    def idle() -> dict[str, Any] | None:
        health: dict[str, Any] = httpx.get(f"{url}/health", headers=headers, timeout=20).json()
        return health if health["active_tasks"] == health["waiting_tasks"] == 0 else None

    found: dict[str, Any] = until(idle, seconds)
    return found


@contextmanager
def writing(data: Path, upstream: Upstream, **extra: str) -> Iterator[Server]:
    """A server with keys whose answers ``upstream`` writes, whatever the documents are about."""
    how = {
        "LLM_ENGINE": "vllm_openai", "VLLM_BASE_URL": upstream.url, "VLLM_MODEL": MODEL, "STRICTNESS": "0",
        "API_KEYS": ",".join(KEYS), "RATE_LIMIT": "0", **extra,
    }  # fmt: skip
    with server(data, "--no-page", **how) as running:
        give_documents(running.url, BEARER)
        yield running
