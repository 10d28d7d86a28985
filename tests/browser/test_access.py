"""Readers of other machines, who need a key, and readers who wait while others are answered."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from app.api.access import COOKIE
from tests.browser.conftest import ELSEWHERE, KEY
from tests.browser.reader import PATIENCE, Reader
from tests.browser.slow_model import SlowModel
from tests.engines import servers
from tests.product import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
NewReader = Callable[..., Reader]


def from_elsewhere(server: Server) -> str:
    return server.url.replace("127.0.0.1", ELSEWHERE)


def test_a_reader_elsewhere_enters_the_key_once(new_reader: NewReader, server: Server) -> None:
    reader = new_reader(url=from_elsewhere(server))
    page = reader.page
    page.goto(reader.url)
    expect(page.get_by_text("kept for those who have a key")).to_be_visible()
    page.get_by_label("Key").fill("wrong")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("alert")).to_have_text("This key is not known here.")
    page.get_by_label("Key").fill(KEY)
    page.get_by_role("button", name="Enter").click()
    reader.idle()
    expect(reader.ask("How do I switch to vLLM?")).to_contain_text("LLM_ENGINE=vllm_openai")
    [cookie] = [one for one in page.context.cookies() if one["name"] == COOKIE]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert KEY not in cookie["value"]
    assert KEY not in server.log.read_text(encoding="utf-8")
    reader.open("/library")
    expect(reader.keyed("upload")).to_be_visible()


def test_a_chinese_reader_elsewhere_is_asked_in_chinese(new_reader: NewReader, server: Server) -> None:
    reader = new_reader("zh-CN", url=from_elsewhere(server))
    reader.page.goto(reader.url)
    expect(reader.page.get_by_text("此页面仅供持有密钥的人使用。")).to_be_visible()


def test_who_comes_third_sees_the_place_and_is_answered_in_turn(new_reader: NewReader, slow_model: SlowModel) -> None:
    before = len(slow_model.aborted)
    busy = [new_reader().open("/?docs=-&engine=vllm_openai") for _ in range(2)]
    for reader in busy:
        reader.type("Tell me a long story")
        expect(reader.messages.last).to_contain_text("word3", timeout=PATIENCE)
    third = new_reader().open()
    third.type("How do I switch to vLLM?")
    expect(third.messages.last).to_contain_text(re.compile("you are number 1 in line"), timeout=PATIENCE)
    busy[0].press("stop")
    expect(third.messages.last).to_contain_text("LLM_ENGINE=vllm_openai", timeout=PATIENCE)
    busy[1].press("stop")
    for aborted in slow_model.aborted[before:]:
        servers.wait_for(aborted)
