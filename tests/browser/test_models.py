"""Models are fetched from the tests' own hub by the real page, used, and removed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests import product
from tests.browser.reader import PATIENCE, Reader
from tests.engines import tiny_model
from tests.models.faults import Fault
from tests.models.hub_server import HubServer, Repo
from tests.product import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
NewReader = Callable[..., Reader]
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """Has one model, under two names."""
    tiny = Repo.of(tiny_model.make(tmp_path_factory.mktemp("hub") / "tiny", says=tiny_model.SAYS))
    with HubServer({"org/tiny": tiny, "org/slow": tiny}) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, hub: HubServer) -> Iterator[Server]:
    """The product with that hub, without models, and as if vLLM were not installed: ``hf`` starts faster."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "sitecustomize.py").write_text('import sys\nsys.modules["vllm"] = None\n')
    settings = {
        "LLM_ENGINE": "extractive", "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0",
        "HF_HOME": str(folder / "hub"), "PYTHONPATH": str(folder),
    }  # fmt: skip
    with product.server(folder / "state", **settings) as running:
        yield running


def section(reader: Reader) -> Locator:
    return reader.keyed("models")


def fetch(reader: Reader, name: str) -> None:
    reader.keyed("fetch-name").locator("input").fill(name)
    reader.press("fetch")


def test_a_model_is_fetched_used_and_removed(reader: Reader, hub: HubServer) -> None:
    hub.add(Fault(WEIGHTS, slow=400_000))
    reader.open("/engines")
    expect(section(reader)).to_contain_text("These fit this machine", timeout=PATIENCE)
    reader.keyed("engine-hf").get_by_role("link", name="Fetch a model").click()
    expect(section(reader).get_by_role("heading", name="Models on this machine")).to_be_in_viewport()
    fetch(reader, "org/tiny")
    expect(section(reader)).to_contain_text(
        re.compile(r"\d+ KB / \d+ KB · \d+% · \d+(\.\d)? KB/s · \d:\d\d left · \d/\d files"), timeout=PATIENCE
    )
    expect(section(reader)).to_contain_text("Whole and verified", timeout=PATIENCE)
    ours = reader.keyed("here-fetched-org-tiny")
    expect(ours).to_contain_text("Needs about", timeout=PATIENCE)
    reader.idle()
    section(reader).get_by_role("button", name="Use now").click()
    expect(ours).to_contain_text("answers now", timeout=PATIENCE)
    assert list(Path(hub_folder(ours)).glob("*.safetensors"))

    asker = Reader(reader.page.context.new_page(), reader.url).open("/?docs=-")
    answer = asker.ask("Who built it?")
    expect(answer).to_contain_text(tiny_model.SAYS)
    expect(answer).to_contain_text("hf · org/tiny")
    asker.page.close()

    expect(reader.keyed("remove-fetched-org-tiny").locator("button:visible").first).to_be_disabled()
    reader.press("switch-extractive")
    expect(ours).not_to_contain_text("answers now", timeout=PATIENCE)
    reader.idle()
    folder = Path(hub_folder(ours))
    reader.press("remove-fetched-org-tiny")
    reader.press("confirm-model-remove")
    expect(ours).to_have_count(0, timeout=PATIENCE)
    assert not folder.exists()


def hub_folder(model: Locator) -> str:
    """Where it lies, as its row says."""
    found = re.search(r"/\S+", model.locator("[data-testid=stCaptionContainer]").first.inner_text())
    assert found
    return found[0]


def test_a_slow_fetch_is_cancelled_and_goes_on_where_it_ended(reader: Reader, hub: HubServer) -> None:
    hub.add(Fault(WEIGHTS, slow=100_000))
    reader.open("/engines")
    before = len(hub.requests(WEIGHTS, where="cdn"))
    fetch(reader, "org/slow")
    expect(section(reader)).to_contain_text(re.compile(r"· [1-9]\d%"), timeout=PATIENCE)
    section(reader).get_by_role("button", name="Cancel").click()
    expect(section(reader)).to_contain_text("Cancelled. What came is kept.", timeout=PATIENCE)
    expect(reader.keyed("here-fetched-org-slow")).to_contain_text("not whole", timeout=PATIENCE)
    reader.idle()
    reader.press("again-*")
    expect(section(reader)).to_contain_text("Whole and verified", timeout=PATIENCE)
    stopped, went_on = hub.requests(WEIGHTS, where="cdn")[before:]
    assert 0 < went_on.start <= stopped.sent


def test_a_missing_name_says_the_nearest_in_a_narrow_window_too(new_reader: NewReader) -> None:
    reader = new_reader("zh-CN", width=390, height=800, color_scheme="dark").open("/engines")
    fetch(reader, "org/tny")
    alert = section(reader).get_by_role("alert").first
    expect(alert).to_contain_text("来源没有这个模型", timeout=PATIENCE)
    expect(alert).to_contain_text("Did you mean org/tiny")
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 390
    for box in (button.bounding_box() for button in section(reader).locator("button:visible").all()):
        assert box is None or (box["x"] >= 0 and box["x"] + box["width"] <= 390)
