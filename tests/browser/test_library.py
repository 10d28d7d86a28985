from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.reader import PATIENCE, Reader

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def good_file(tmp_path: Path) -> Path:
    file = tmp_path / "heron.md"
    file.write_text("# The heron\n\nThe grey heron of pond seven is called Amadeus.\n", encoding="utf-8")
    return file


def test_a_good_file_goes_in_a_broken_one_says_why_and_removal_is_for_good(
    reader: Reader, good_file: Path, broken_pdf: Path
) -> None:
    reader.open("/library")
    reader.upload(good_file, broken_pdf)
    job = reader.keyed("job-*").first
    expect(job).to_contain_text("1 added · 1 not read", timeout=PATIENCE)
    expect(job).to_contain_text("broken.pdf")
    expect(job).to_contain_text("Get the file again")
    reader.idle()
    row = reader.keyed("document-*").filter(has_text="heron.md")
    expect(row).to_have_count(1)

    reader.page.get_by_role("link", name="Chat").click()
    reader.idle()
    reader.ask("What is the grey heron of pond seven called?")
    expect(reader.messages.last).to_contain_text("Amadeus")
    address = reader.page.url

    reader.page.get_by_role("link", name="Library").click()
    reader.idle()
    row.locator("button:visible").first.click()
    reader.press("confirm-remove")
    expect(row).to_have_count(0, timeout=PATIENCE)

    reader.page.goto(address)
    reader.idle()
    expect(reader.messages.last).to_contain_text("source removed")
    expect(reader.messages.last).not_to_contain_text("Amadeus")
    panel = reader.open_source("heron.md")
    expect(panel).to_contain_text("Source removed")


def test_work_can_be_cancelled(reader: Reader, tmp_path: Path) -> None:
    file = tmp_path / "endless.txt"
    file.write_text("\n\n".join(f"Part {part} of an endless tale about a river." for part in range(20_000)), "utf-8")
    reader.open("/library")
    reader.upload(file)
    job = reader.keyed("job-*").filter(has_text="endless.txt").first
    expect(job).to_contain_text("indexing", timeout=PATIENCE)
    job.get_by_role("button", name="Cancel").click()
    expect(job).to_contain_text("Cancelled", timeout=PATIENCE)
    expect(reader.keyed("document-*").filter(has_text="endless.txt")).to_have_count(0)


def test_work_goes_on_while_the_tab_is_closed(reader: Reader, tmp_path: Path) -> None:
    files = []
    for number in range(4):
        file = tmp_path / f"tale-{number}.txt"
        file.write_text("\n\n".join(f"Tale {number}, part {part}: a river." for part in range(60)), encoding="utf-8")
        files.append(file)
    reader.open("/library")
    reader.upload(*files)
    expect(reader.keyed("job-*").filter(has_text="tale-0").first).to_be_visible(timeout=PATIENCE)
    context = reader.page.context
    reader.page.close()
    later = Reader(context.new_page(), reader.url).open("/library")
    expect(later.keyed("job-*").filter(has_text="tale-0").first).to_contain_text("4 added", timeout=PATIENCE)
    expect(later.keyed("document-*").filter(has_text="tale-3.txt")).to_have_count(1)
