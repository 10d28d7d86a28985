"""A real server and a real Chromium."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests import product
from tests.browser.reader import Reader
from tests.browser.slow_model import SlowModel
from tests.engines import servers
from tests.product import ROOT, Server, command
from tools.browser import find_browser

ELSEWHERE = "hotswap.example"
"""A name of the server that is not this machine's own: whoever uses it is taken for another machine's reader."""
KEY = "a-key-for-readers-elsewhere"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
]


@pytest.fixture(scope="session")
def slow_model() -> Iterator[SlowModel]:
    """A server such as vLLM's, whose model writes five words a second."""
    model = SlowModel()
    yield model
    model.stop()


def _pulled(*sizes: int) -> list[str]:
    """What Ollama says while it fetches a model of 200 MB; ``sizes`` is what is there of it, in MB."""
    layer = {"status": "pulling 163553aea1b1", "digest": "sha256:163553aea1b1", "total": 200_000_000}
    lines = [{"status": "pulling manifest"}, *({**layer, "completed": size * 1_000_000} for size in sizes)]
    return [json.dumps(line) + "\n" for line in lines]


@pytest.fixture(scope="session")
def ollama() -> Iterator[servers.Server]:
    """Ollama, recorded; asked for models it is slow the first time, does not find the second, and has the third."""
    kind = "application/x-ndjson"
    whole = [*_pulled(0, 200), '{"status":"verifying sha256 digest"}\n', '{"status":"success"}\n']
    pulls: list[servers.Reply] = [
        servers.chunked(kind, _pulled(*range(0, 200, 2)), gap=0.5),
        *servers.recorded("pull_nonexistent_stream")["POST /api/pull"],
        servers.chunked(kind, whole),
    ]
    with servers.Server({**servers.recorded("tags"), "POST /api/pull": pulls}) as there:
        yield there


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, slow_model: SlowModel, ollama: servers.Server) -> Iterator[Server]:
    """The product with its English and Chinese guide to engines and a PDF; ``extractive`` answers unless told."""
    folder = tmp_path_factory.mktemp("browser")
    documents = folder / "documents"
    for name in ("en/switching-engines.md", "zh/switching-engines.md", "en/which-model-for-which-card.pdf"):
        (documents / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "data" / "samples" / name, documents / name)
    settings = {
        "LLM_ENGINE": "extractive", "VLLM_BASE_URL": f"{slow_model.url}/v1", "OLLAMA_BASE_URL": ollama.url,
        "API_KEYS": KEY, "MAX_CONCURRENT_TASKS": "2",
    }  # fmt: skip
    ingested = command(folder / "state", "ingest", str(documents), **settings)
    assert ingested.code == 0, ingested.err
    with product.server(folder / "state", **settings) as running:
        yield running


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

    def make(locale: str = "en-US", width: int = 1280, height: int = 860, url: str = "", **options: Any) -> Reader:
        context = chromium.new_context(locale=locale, viewport={"width": width, "height": height}, **options)
        readers.append(Reader(context.new_page(), url or server.url))
        return readers[-1]

    yield make
    for reader in readers:
        reader.page.context.close()
    assert [url for reader in readers for url in reader.foreign] == []
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


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
