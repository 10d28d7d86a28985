from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests import product
from tests.browser.reader import PATIENCE, Reader
from tests.engines.routing.fault_server import FaultServer
from tests.product import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
NewReader = Callable[..., Reader]


@pytest.fixture(scope="module")
def first() -> Iterator[FaultServer]:
    """The server of the default route."""
    with FaultServer() as there:
        yield there


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, first: FaultServer) -> Iterator[Server]:
    """The product with two routes; ``extractive`` answers unless told."""
    folder = tmp_path_factory.mktemp("routes")
    with FaultServer() as second:
        routes = {"first": {"base_url": first.url}, "second": {"base_url": second.url}}
        config = folder / "config.yaml"
        config.write_text(json.dumps({"llm": {"routes": routes, "default_route": "first"}}), encoding="utf-8")
        with product.server(folder / "state", CONFIG_FILE=str(config), LLM_ENGINE="extractive") as running:
            yield running


def route(reader: Reader, name: str) -> Locator:
    """Its paragraph on the engine's card."""
    return reader.keyed("engine-vllm_openai").locator(".st-key-routes p", has_text=re.compile(f"^{name}"))


def test_the_list_follows_the_routes_by_itself_and_the_answer_names_those_that_were_asked(
    new_reader: NewReader, first: FaultServer
) -> None:
    watcher, asker = new_reader().open("/engines"), new_reader().open("/?docs=-&engine=vllm_openai")
    for name in ("first", "second"):
        expect(route(watcher, name)).to_contain_text("not asked yet", timeout=PATIENCE)
    expect(asker.ask("Who answers?")).not_to_contain_text("asked in turn")
    expect(route(watcher, "first")).to_contain_text("first token:", timeout=PATIENCE)

    first.down()
    expect(asker.ask("And now?")).to_contain_text(re.compile(r"asked in turn: first \(.+\) → second"))
    expect(route(watcher, "first")).to_contain_text(re.compile(r"for \d+ s · no server runs there"), timeout=PATIENCE)
    expect(route(watcher, "second")).to_contain_text("answered: 1", timeout=PATIENCE)
    narrow = new_reader("zh-CN", width=390, height=800, color_scheme="dark").open("/engines")
    expect(route(narrow, "first")).to_contain_text("不可用", timeout=PATIENCE)
    assert narrow.page.evaluate("document.documentElement.scrollWidth") <= 390

    first.up()
    expect(route(watcher, "first")).to_contain_text(re.compile(r"back for \d s"), timeout=PATIENCE)
    expect(route(narrow, "first")).not_to_contain_text("不可用", timeout=PATIENCE)
