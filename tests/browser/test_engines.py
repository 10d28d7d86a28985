from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.reader import PATIENCE, Reader
from tests.browser.slow_model import WORDS
from tests.engines import servers

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
NewReader = Callable[..., Reader]


def card(reader: Reader, engine: str) -> Locator:
    return reader.keyed(f"engine-{engine}")


def switch(reader: Reader, engine: str) -> None:
    """On the page of the engines, to the end."""
    reader.press(f"switch-{engine}")
    expect(card(reader, engine)).to_contain_text(f"Switched to {engine}", timeout=PATIENCE)
    expect(card(reader, engine)).to_contain_text("answers now", timeout=PATIENCE)
    reader.idle()


def test_a_switch_goes_on_beside_an_answer_and_the_chat_names_the_new_engine(new_reader: NewReader) -> None:
    asker, engineer = new_reader(), new_reader()
    engineer.open("/engines")
    expect(card(engineer, "extractive")).to_contain_text("answers now", timeout=PATIENCE)
    switch(engineer, "vllm_openai")

    asker.open("/?docs=-")
    expect(asker.page.get_by_test_id("stSidebar")).to_contain_text("vllm_openai answers", timeout=PATIENCE)
    asker.type("Tell me a long story")
    expect(asker.messages.last).to_contain_text("word3", timeout=PATIENCE)
    expect(card(engineer, "vllm_openai")).to_contain_text("answers being written: 1", timeout=PATIENCE)
    engineer.press("switch-extractive")
    expect(card(engineer, "extractive")).to_contain_text("Waiting for 1 answers of vllm_openai", timeout=PATIENCE)
    expect(card(engineer, "extractive")).to_contain_text("answers now")
    expect(asker.keyed("stop")).to_have_count(0, timeout=PATIENCE)
    expect(asker.messages.last).to_contain_text("".join(WORDS).strip())
    expect(asker.messages.last).not_to_contain_text("incomplete")
    expect(asker.messages.last).to_contain_text("vllm_openai · slow")
    expect(card(engineer, "extractive")).to_contain_text("Switched to extractive", timeout=PATIENCE)
    expect(card(engineer, "vllm_openai")).not_to_contain_text("answers being written", timeout=PATIENCE)

    asker.idle()
    asker.press("new-chat")
    expect(asker.page.get_by_test_id("stSidebar")).to_contain_text("extractive answers", timeout=PATIENCE)


def test_a_switch_to_an_engine_that_is_not_ready_says_why_and_who_answers(new_reader: NewReader) -> None:
    reader = new_reader("zh-CN").open("/engines")
    reader.keyed("model-hf").locator("input").fill("/nowhere/model")
    reader.keyed("model-hf").locator("input").press("Enter")
    reader.idle()
    reader.press("switch-hf")
    expect(card(reader, "hf")).to_contain_text("hf cannot answer", timeout=PATIENCE)
    expect(card(reader, "hf")).to_contain_text("这个引擎现在无法使用")
    expect(card(reader, "hf")).to_contain_text("由 extractive 回答")
    expect(card(reader, "extractive")).to_contain_text("正在使用")
    reader.idle()
    card(reader, "hf").locator('[class*="st-key-dismiss-"] button:visible').first.click()
    expect(card(reader, "hf")).not_to_contain_text("hf cannot answer")


def test_a_model_is_downloaded_by_ollama(reader: Reader, ollama: servers.Server) -> None:
    reader.open("/engines")
    ours = card(reader, "ollama")
    expect(ours).to_contain_text("ready", timeout=PATIENCE)
    ours.get_by_text("Download a model").click()

    def pull(model: str) -> None:
        reader.keyed("pull-model").locator("input").fill(model)
        reader.press("pull")

    pull("qwen3:0.6b")
    expect(ours).to_contain_text(re.compile(r"Downloading qwen3:0.6b · \d+ MB / 200 MB · \d+%"), timeout=PATIENCE)
    expect(ours.get_by_role("progressbar")).to_be_visible()
    tab = Reader(reader.page.context.new_page(), reader.url).open("/")
    tab.page.get_by_role("link", name="Engines", exact=True).click()
    expect(card(tab, "ollama")).to_contain_text("Downloading qwen3:0.6b", timeout=PATIENCE)
    tab.page.close()
    ours.get_by_role("button", name="Cancel").click()
    expect(ours).to_contain_text("What was downloaded is kept", timeout=PATIENCE)
    servers.wait_for(ollama.asked("POST /api/pull")[0].aborted)
    reader.idle()
    pull("nobody/nothing")
    expect(ours.get_by_role("alert")).to_contain_text("nobody/nothing", timeout=PATIENCE)
    reader.idle()
    pull("qwen3:0.6b")
    expect(ours).to_contain_text("Downloaded.", timeout=PATIENCE)
    expect(ours.get_by_role("button", name="Switch to it")).to_be_visible()
    assert [request.body["model"] for request in ollama.asked("POST /api/pull")] == [
        "qwen3:0.6b", "nobody/nothing", "qwen3:0.6b",
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_window_has_room_for_every_engine(new_reader: NewReader, scheme: str) -> None:
    reader = new_reader("zh-CN", width=390, height=800, color_scheme=scheme).open("/engines")
    for engine in ("auto", "vllm_openai", "vllm", "ollama", "hf", "extractive"):
        box = reader.keyed(f"switch-{engine}").locator("button").bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_sidebar_of_the_chat_leads_to_the_engines(reader: Reader) -> None:
    reader.open()
    reader.page.get_by_role("link", name="Engines: switch, download").click()
    reader.idle()
    expect(reader.keyed("engines")).to_contain_text("An engine is what runs the language model")
