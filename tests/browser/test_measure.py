from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.reader import PATIENCE, Reader

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

# What the pictures of the charts really show: their text must be light on a dark page.
_BRIGHTEST = """async () => {
  const image = document.querySelector('.st-key-measure-charts img')
  await image.decode()
  const canvas = document.createElement('canvas')
  canvas.width = 400; canvas.height = 250
  const pen = canvas.getContext('2d')
  pen.drawImage(image, 0, 0, 400, 250)
  const data = pen.getImageData(0, 0, 400, 24).data
  let most = 0
  for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 200) most = Math.max(most, data[at])
  return most
}"""


def test_questions_are_made_compared_and_taken_along(reader: Reader) -> None:
    reader.open("/measure")
    reader.keyed("measure-make").locator("input").fill("4")
    compare = reader.keyed("measure-compare").locator("input")
    compare.fill("STRICTNESS=1")
    compare.press("Tab")
    reader.idle()
    reader.press("measure-start")
    expect(reader.keyed("job-*").first).to_contain_text("Measured.", timeout=PATIENCE)
    reader.idle()
    expect(reader.keyed("measure-charts").locator("img")).to_have_count(3)
    expect(reader.keyed("measure-table")).to_contain_text("STRICTNESS=1.0")
    expect(reader.keyed("measure-table").locator("tr")).to_have_count(12)
    with reader.page.expect_download() as saved:
        reader.press("measure-html")
    page = saved.value.path().read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "STRICTNESS=1.0" in page
    with reader.page.expect_download() as saved:
        reader.press("measure-json")
    assert json.loads(saved.value.path().read_text(encoding="utf-8"))["comparison"]["common"] > 4


def test_a_file_is_asked_in_chinese_on_a_dark_page(new_reader: Callable[..., Reader], tmp_path: Path) -> None:
    file = tmp_path / "我的问题.jsonl"
    lines = [
        {"question": "如何切换到 vLLM？", "docs": ["zh/switching-engines.md"]},
        {"question": "切换引擎之后需要重启吗？", "answers": ["这句话不在任何文档里"]},
    ]
    file.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    reader = new_reader(locale="zh-CN", color_scheme="dark").open("/measure")
    reader.keyed("measure-source").get_by_text("来自文件").click()
    reader.idle()
    reader.upload(file)
    expect(reader.page.get_by_test_id("stFileChipName")).to_have_text("我的问题.jsonl", timeout=PATIENCE)
    reader.idle()
    reader.press("measure-start")
    box = reader.keyed("job-*").filter(has_text="我的问题.jsonl").first
    expect(box).to_contain_text("评测完成", timeout=PATIENCE)
    reader.idle()
    miss = reader.keyed("measure-misses").locator("details").filter(has_text="需要重启吗")
    expect(miss).to_contain_text("未找到", timeout=PATIENCE)
    expect(miss.get_by_text("这句话不在任何文档里")).not_to_be_visible()
    miss.locator("summary").click()
    expect(miss.get_by_text("这句话不在任何文档里")).to_be_visible()
    expect(miss).to_contain_text("zh/")
    assert reader.page.evaluate(_BRIGHTEST) > 200
