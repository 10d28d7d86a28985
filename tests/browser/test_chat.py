from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.reader import PATIENCE, Reader
from tests.browser.slow_model import SlowModel
from tests.engines import servers
from tests.product import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
NewReader = Callable[..., Reader]


def wait_until_in_view(reader: Reader, selector: str) -> None:
    """Until the first match within the source's panel lies in the part of it that is seen."""
    reader.page.wait_for_function(
        """selector => {
          const host = document.querySelector('.st-key-source-view')
          const roots = [host, ...[...host.querySelectorAll('*')].map(item => item.shadowRoot).filter(Boolean)]
          const find = what => roots.map(root => root.querySelector(what)).find(Boolean)
          const frame = find('.source').getBoundingClientRect(), place = find(selector).getBoundingClientRect()
          return place.height > 0 && place.top >= frame.top && place.bottom <= frame.bottom + 1
            && place.top < window.innerHeight
        }""",
        arg=selector,
        timeout=10_000,
    )


def test_an_english_answer_opens_its_source_at_its_place(reader: Reader) -> None:
    answer = reader.open().ask("How do I switch to vLLM?")
    expect(answer).to_contain_text("LLM_ENGINE=vllm_openai")
    expect(answer).to_contain_text("extractive")
    panel = reader.open_source("en/switching-engines.md")
    expect(panel.locator("mark").first).to_contain_text("To switch to vLLM, start a vLLM server")
    wait_until_in_view(reader, "mark")


def test_a_chinese_reader_gets_a_chinese_page_and_answer(new_reader: NewReader) -> None:
    reader = new_reader("zh-CN").open()
    expect(reader.keyed("welcome")).to_contain_text("向你的文档提问")
    answer = reader.ask("如何切换到 vLLM？")
    expect(answer).to_contain_text("要切换到 vLLM")
    panel = reader.open_source("zh/switching-engines.md")
    expect(panel.locator("mark").first).to_contain_text("要切换到 vLLM")
    wait_until_in_view(reader, "mark")


def test_a_pdf_opens_as_its_page_with_the_words_marked(reader: Reader) -> None:
    reader.open().ask("Which model suits a card with 8 GB?")
    panel = reader.open_source("en/which-model-for-which-card.pdf")
    expect(panel.locator("img")).to_be_visible(timeout=PATIENCE)
    expect(panel.locator(".box").first).to_be_visible()
    wait_until_in_view(reader, ".box")


def test_f5_keeps_the_conversation_and_a_second_tab_has_it_too(reader: Reader) -> None:
    reader.open().ask("How do I switch to Ollama?")
    address = reader.page.url
    assert "c=" in address
    reader.page.reload()
    reader.idle()
    expect(reader.messages).to_have_count(2)
    tab = Reader(reader.page.context.new_page(), reader.url)
    tab.page.goto(address)
    tab.idle()
    expect(tab.messages.last).to_contain_text("ollama pull")
    tab.press("new-chat")
    tab.idle()
    expect(tab.messages).to_have_count(0)
    reader.ask("And back to auto?")
    expect(reader.messages).to_have_count(4)


def test_stop_acts_at_once_and_keeps_what_was_said(reader: Reader, slow_model: SlowModel) -> None:
    reader.open("/?docs=-&engine=vllm_openai")
    reader.type("Tell me a long story")
    expect(reader.messages.last).to_contain_text("word3", timeout=PATIENCE)
    clicked = time.monotonic()
    reader.press("stop")
    expect(reader.messages.last).to_contain_text("incomplete", timeout=2000)
    assert time.monotonic() - clicked < 1.5  # half a second for the page, the rest for the browser under test
    expect(reader.messages.last).to_contain_text("word3")
    servers.wait_for(slow_model.aborted[-1])
    reader.page.reload()
    reader.idle()
    expect(reader.messages.last).to_contain_text("incomplete")


def test_an_answer_goes_on_after_f5(reader: Reader) -> None:
    reader.open("/?docs=-&engine=vllm_openai")
    reader.type("Tell me another story")
    expect(reader.messages.last).to_contain_text("word2", timeout=PATIENCE)
    reader.page.reload()
    expect(reader.messages.last).to_contain_text("word8", timeout=PATIENCE)
    reader.press("stop")
    expect(reader.messages.last).to_contain_text("incomplete")


def test_a_question_about_nothing_there_is_refused(reader: Reader) -> None:
    answer = reader.open().ask("Who won the 1998 football world cup?")
    expect(answer).to_contain_text("not in your documents")
    expect(answer.locator("button")).to_have_count(0)


def test_the_language_switch_is_kept_in_the_address(reader: Reader) -> None:
    reader.open()
    reader.keyed("language-switch").get_by_text("中文").click()
    expect(reader.keyed("welcome")).to_contain_text("向你的文档提问")
    expect(reader.page).to_have_url(re.compile("lang=zh"))
    reader.page.reload()
    reader.idle()
    expect(reader.keyed("welcome")).to_contain_text("向你的文档提问")
    reader.page.get_by_role("link", name="文档库").click()
    reader.idle()
    expect(reader.keyed("library")).to_contain_text("文档集")
    expect(reader.page).to_have_url(re.compile("lang=zh"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_window_has_room_for_everything(new_reader: NewReader, scheme: str) -> None:
    reader = new_reader(width=390, height=800, color_scheme=scheme).open()
    expect(reader.keyed("question")).to_be_in_viewport()
    reader.ask("How do I switch to vLLM?")
    panel = reader.open_source("en/switching-engines.md")
    expect(panel.locator("mark").first).to_be_in_viewport()
    box = panel.bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
    reader.press("close-source")
    expect(panel).to_have_count(0)
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_conversations_survive_the_server(new_reader: NewReader, server: Server) -> None:
    reader = new_reader().open()
    reader.ask("How do I go back to auto?")
    address = reader.page.url
    server.stop()
    server.start()
    reader.page.goto(address)
    reader.idle()
    expect(reader.messages).to_have_count(2)
    expect(reader.messages.last).to_contain_text("LLM_ENGINE=auto")
