"""A real server and a real Chromium."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.reader import Reader
from tests.browser.server import ROOT, Server
from tests.engines import servers
from tools.browser import find_browser

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SLOW_WORDS = [f"word{number} " for number in range(150)]  # half a minute


def _event(delta: dict[str, str], finish_reason: str | None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "slow", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n"


@pytest.fixture(scope="session")
def slow_model() -> Iterator[servers.Server]:
    """A server such as vLLM's, whose model writes five words a second."""
    parts = [_event({"content": word}, None) for word in SLOW_WORDS] + [_event({}, "stop")]
    replies: dict[str, Any] = {
        "GET /v1/models": servers.json_reply(200, {"object": "list", "data": [{"id": "slow", "max_model_len": 4096}]}),
        "POST /v1/chat/completions": servers.chunked("text/event-stream", [*parts, "data: [DONE]\n\n"], gap=0.2),
    }
    with servers.Server(replies) as server:
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, slow_model: servers.Server) -> Iterator[Server]:
    """The product with its English and Chinese guide to engines and a PDF; ``extractive`` answers unless told."""
    folder = tmp_path_factory.mktemp("browser")
    documents = folder / "documents"
    for name in ("en/switching-engines.md", "zh/switching-engines.md", "en/which-model-for-which-card.pdf"):
        (documents / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "data" / "samples" / name, documents / name)
    running = Server(folder / "state", LLM_ENGINE="extractive", VLLM_BASE_URL=f"{slow_model.url}/v1")
    running.command("ingest", str(documents))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Ends with each file: while Playwright runs, its event loop stands in the way of every test that wants its own."""
    path = find_browser()
    assert path, "the page's tests need Chromium; `make test` says how to install it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def new_reader(chromium: Browser, server: Server) -> Iterator[Callable[..., Reader]]:
    """Readers with a browser of their own each; afterwards none of them has asked a foreign host for anything."""
    readers: list[Reader] = []

    def make(locale: str = "en-US", width: int = 1280, height: int = 860, **options: Any) -> Reader:
        context = chromium.new_context(locale=locale, viewport={"width": width, "height": height}, **options)
        readers.append(Reader(context.new_page(), server.url))
        return readers[-1]

    yield make
    for reader in readers:
        reader.page.context.close()
    assert [url for reader in readers for url in reader.foreign] == []
    assert "Traceback" not in server.log()


@pytest.fixture
def reader(new_reader: Callable[..., Reader]) -> Reader:
    """An English reader at a desk."""
    return new_reader()


@pytest.fixture
def broken_pdf(tmp_path: Path) -> Path:
    """A PDF that was cut off."""
    file = tmp_path / "broken.pdf"
    file.write_bytes((ROOT / "data/samples/en/which-model-for-which-card.pdf").read_bytes()[:3000])
    return file
