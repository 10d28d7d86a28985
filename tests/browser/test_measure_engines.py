"""Engines measured through a real browser: two real models in transformers, from the form to the report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import product
from tests.browser.reader import PATIENCE, Reader
from tests.engines import tiny_model
from tests.product import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The product without documents, with a model and another one on its shelf."""
    folder = tmp_path_factory.mktemp("measured")
    for seed, name in enumerate(("tiny", "other")):
        tiny_model.make(folder / "models" / name, seed=seed)
    settings = {"LLM_ENGINE": "extractive", "HF_MODEL_PATH": "tiny", "MODELS_DIR": str(folder / "models")}
    with product.server(folder / "state", **settings) as running:
        yield running


def label(kind: str) -> re.Pattern[str]:
    """What the choice of a run says of it."""
    return re.compile(f"{kind} · hf · hf other$")


def compare(reader: Reader, tokens: int, repeats: int) -> None:
    """Both models, one reader, single questions: filled in and begun."""
    expect(reader.keyed("bench-engines")).to_contain_text("hf · tiny", timeout=PATIENCE)
    reader.keyed("bench-engines").locator("input").click()
    reader.page.get_by_role("option", name="hf · other").click()
    reader.idle()
    for key, off in (("readers", ("8", "32")), ("turns", ("5",))):
        for number in off:
            reader.keyed(f"bench-{key}-compare").get_by_text(number, exact=True).click()
            reader.idle()
    for key, value in (("bench-max-tokens", tokens), ("bench-repeats", repeats)):
        reader.keyed(key).locator("input").fill(str(value))
        reader.keyed(key).locator("input").press("Enter")
        reader.idle()
    reader.press("bench-start")


def test_two_models_are_compared_and_the_report_stays(new_reader: Callable[..., Reader], tmp_path: Path) -> None:
    reader = new_reader().open("/measure")
    reader.keyed("measure-view").get_by_text("Engines").click()
    reader.idle()
    assert "view=engines" in reader.page.url
    file = tmp_path / "我的问题.txt"
    file.write_text("谁建了灯塔？\nWhat does its lamp burn?\n", encoding="utf-8")
    reader.keyed("bench-source").get_by_text("From a file").click()
    reader.idle()
    reader.upload(file)
    expect(reader.page.get_by_test_id("stFileChipName")).to_have_text(file.name, timeout=PATIENCE)
    reader.idle()
    compare(reader, tokens=8, repeats=2)
    expect(reader.keyed("job-*").first).to_contain_text("Measured.", timeout=PATIENCE)
    reader.idle()
    expect(reader.keyed("bench-charts").locator("img")).to_have_count(4)
    expect(reader.keyed("bench-tables")).to_contain_text("hf other")
    expect(reader.keyed("measure-engines")).to_contain_text("run other weights")
    with reader.page.expect_download() as saved:
        reader.press("bench-json")
    report = json.loads(saved.value.path().read_text(encoding="utf-8"))
    assert [cell["output_tokens"] for cell in report["cells"]] == [8, 8]
    assert all(cell["tokens_per_second"] and not cell["failed"] for cell in report["cells"])
    with reader.page.expect_download() as saved:
        reader.press("bench-html")
    assert saved.value.path().read_text(encoding="utf-8").startswith("<!doctype html>")

    reader.page.reload()
    reader.idle()
    expect(reader.keyed("bench-run").locator("input")).to_have_value(label("Engines compared"))
    reader.press("bench-use")
    expect(reader.keyed("bench-advice")).to_contain_text("Switched to hf", timeout=PATIENCE)

    chinese = new_reader(locale="zh-CN", color_scheme="dark").open("/measure?view=engines")
    expect(chinese.keyed("bench-run").locator("input")).to_have_value(label("引擎对比"))
    expect(chinese.keyed("bench-tables")).to_contain_text("每个词元")
    expect(chinese.keyed("measure-engines")).to_contain_text("权重不同")


def test_who_cancels_keeps_what_was_measured(reader: Reader) -> None:
    reader.open("/measure?view=engines")
    compare(reader, tokens=32, repeats=100)
    box = reader.keyed("job-*").first
    expect(box).to_contain_text("left", timeout=PATIENCE)  # a round has ended
    reader.press("cancel-*")
    expect(box).to_contain_text("is among the results", timeout=PATIENCE)
    reader.idle()
    expect(reader.keyed("measure-engines")).to_contain_text("Interrupted: this is what was measured until then.")
    expect(reader.keyed("bench-over-time").locator("img")).to_have_count(2)
