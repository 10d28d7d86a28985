"""Two engines side by side in a real browser: they stream at once, stop at once, and blind tells nothing apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests import product
from tests.browser.reader import PATIENCE, Reader
from tests.browser.slow_model import SlowModel
from tests.browser.slow_ollama import MODEL, SlowOllama
from tests.engines import servers
from tests.product import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
NewReader = Callable[..., Reader]
PAIR = "/?docs=-&engine=vllm_openai&ab=ollama"


@pytest.fixture(scope="module")
def ollama() -> Iterator[SlowOllama]:
    """The second engine."""
    there = SlowOllama()
    yield there
    there.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, slow_model: SlowModel, ollama: SlowOllama) -> Iterator[Server]:
    """The product with two engines that stream."""
    urls = {"VLLM_BASE_URL": f"{slow_model.url}/v1", "OLLAMA_BASE_URL": ollama.url}
    with product.server(tmp_path_factory.mktemp("ab") / "state", **urls) as running:
        yield running


def sides(reader: Reader, key: str) -> tuple[Locator, Locator]:
    """A and B of a message."""
    return reader.keyed(f"side-{key}a"), reader.keyed(f"side-{key}b")


def test_both_stream_at_once_and_one_stop_ends_both(reader: Reader, slow_model: SlowModel, ollama: SlowOllama) -> None:
    reader.open("/?docs=-&engine=vllm_openai")
    reader.keyed("ab-on").locator("label").click()
    expect(reader.keyed("ab-second").locator("input")).to_have_value(f"ollama · {MODEL}", timeout=PATIENCE)
    reader.idle()
    reader.type("Tell me a long story")
    one, other = sides(reader, "growing")
    expect(one).to_contain_text("word3", timeout=PATIENCE)
    expect(other).to_contain_text("mot3", timeout=PATIENCE)
    left, right = one.bounding_box(), other.bounding_box()
    assert left and right and left["x"] + left["width"] <= right["x"] and left["y"] == right["y"]
    clicked = time.monotonic()
    reader.press("stop")
    one, other = sides(reader, "1")
    expect(one).to_contain_text("Stopped before its end.", timeout=2000)
    expect(other).to_contain_text("Stopped before its end.", timeout=2000)
    assert time.monotonic() - clicked < 2  # half a second for the page, the rest for the browser under test
    servers.wait_for(slow_model.aborted[-1])
    servers.wait_for(ollama.aborted[-1])
    expect(one).to_contain_text("word3")
    expect(other).to_contain_text("mot3")
    expect(reader.messages.last).to_contain_text("There is no vote here")


def test_blind_hides_the_names_until_the_vote_and_all_of_it_is_kept(new_reader: NewReader) -> None:
    reader = new_reader().open(f"{PAIR}&blind=1")
    reader.type("Be brief, please")
    expect(sides(reader, "growing")[0]).to_be_visible(timeout=PATIENCE)
    page, main = reader.page.locator("body"), reader.page.locator(".stMain")

    def secret() -> None:
        """Neither in what is read nor in what the browser holds of it; the choice in the sidebar names both."""
        told = page.inner_text() + main.inner_html()
        assert not [name for name in ("vllm_openai", "ollama", MODEL, "slow", "tokens/s") if name in told]

    while reader.keyed("stop").count():
        secret()
    expect(reader.keyed("vote-1-a")).to_be_visible(timeout=PATIENCE)
    reader.idle()
    secret()
    order = "word5" in sides(reader, "1")[0].inner_text()
    reader.page.reload()
    reader.idle()
    secret()
    one, other = sides(reader, "1")
    expect(one).to_contain_text("word5" if order else "mot5")

    reader.press("vote-1-b")
    expect(reader.messages.last).to_contain_text("You voted: B is better.")
    expect(other).to_contain_text(f"B · ollama · {MODEL}" if order else "B · vllm_openai · slow")
    expect(other).to_contain_text("first word after")
    chinese = new_reader("zh-CN").open(f"/?{reader.page.url.split('?')[1]}")
    expect(chinese.messages.last).to_contain_text("你的投票：B 更好。")
    expect(sides(chinese, "1")[0]).to_contain_text("秒后出第一个字")
    expect(chinese.keyed("ab-blind")).to_contain_text("盲评")

    reader.keyed("talk-menu*").locator("button").first.click()
    with reader.page.expect_download() as download:
        reader.press("export-chat")
    saved = Path(download.value.path()).read_text(encoding="utf-8")
    assert "word5" in saved and "mot5" in saved and f"`{MODEL}`" in saved and "You voted: B is better." in saved
    reader.press("delete-chat")
    expect(reader.messages).to_have_count(0)
    expect(reader.keyed("welcome")).to_be_visible()


def test_on_a_narrow_screen_they_stand_below_each_other(new_reader: NewReader) -> None:
    reader = new_reader(width=390, height=800, color_scheme="dark").open(PAIR)
    reader.type("Be brief again")
    expect(reader.keyed("vote-1-both_good")).to_be_visible(timeout=PATIENCE)
    one, other = (side.bounding_box() for side in sides(reader, "1"))
    assert one and other and one["y"] + one["height"] <= other["y"]
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 390
