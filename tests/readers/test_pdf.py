"""PDF: text, pages, headings; pictures of pages and the places of words on them."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from PIL import Image

from app.errors import DamagedDocument, DocumentMissing, EmptyDocument, ProtectedDocument
from app.readers import pdf as reader
from app.readers import read, read_bytes
from app.readers.pdf import Box, page_image, word_boxes
from app.schema import ExtractedText
from tests.readers.pdf_writer import Text, paragraph, pdf

ENGLISH = paragraph(
    "The reader joins the lines of a para-", "graph, so that sentences are whole.", "", "Next."
)
CHINESE = paragraph(
    "人工智能是计算机科学的一个分支，它企图了解智能的实", "质，并生产出新的智能机器。", "第二段在这里。"
)
BOOK = pdf(ENGLISH, CHINESE, outline=[(0, "The  reader"), (1, "第二段"), (1, "Not on the page")])


def by_page(extracted: ExtractedText) -> list[str]:
    return [extracted.text[page.start : page.end] for page in extracted.pages]


def test_sentences_are_whole_and_paragraphs_apart() -> None:
    assert by_page(read_bytes("a.pdf", BOOK)) == [
        "The reader joins the lines of a paragraph, so that sentences are whole.\n\nNext.",
        "人工智能是计算机科学的一个分支，它企图了解智能的实质，并生产出新的智能机器。\n\n第二段在这里。",
    ]


def test_pages_count_from_one_and_a_page_without_text_is_empty() -> None:
    extracted = read_bytes("a.pdf", pdf(ENGLISH, [], CHINESE))
    assert [page.number for page in extracted.pages] == [1, 2, 3]
    assert by_page(extracted)[1] == ""
    assert extracted.pages[-1].end == len(extracted.text)


def test_the_outline_gives_the_headings() -> None:
    extracted = read_bytes("a.pdf", BOOK)
    assert [heading.title for heading in extracted.headings] == ["The reader", "Not on the page", "第二段"]
    assert extracted.text.startswith("第二段", extracted.headings[2].start)
    assert extracted.headings[1].start == extracted.pages[1].start


def test_two_chapters_of_one_name_on_a_page() -> None:
    data = pdf(
        [Text(72, 700, "Notes"), Text(72, 600, "Text."), Text(72, 500, "Notes")], outline=[(0, "Notes")] * 2
    )
    extracted = read_bytes("a.pdf", data)
    assert [heading.start for heading in extracted.headings] == [0, extracted.text.rindex("Notes")]


def test_large_type_gives_the_headings_without_an_outline() -> None:
    page = [Text(72, 740, "Report", 24), Text(72, 710, "Part one", 16), *ENGLISH, Text(72, 500, "***", 16)]
    extracted = read_bytes("a.pdf", pdf(page))
    assert [(heading.level, heading.title) for heading in extracted.headings] == [
        (1, "Report"),
        (2, "Part one"),
    ]
    assert all(extracted.text.startswith(heading.title, heading.start) for heading in extracted.headings)


def test_an_owner_password_alone_does_not_keep_readers_out() -> None:
    assert "sentences are whole" in read_bytes("a.pdf", pdf(ENGLISH, password=b"")).text


def test_a_password() -> None:
    with pytest.raises(ProtectedDocument, match=r"secret\.pdf is protected by a password"):
        read_bytes("secret.pdf", pdf(ENGLISH, password=b"open sesame"))


def test_a_scan_needs_ocr() -> None:
    with pytest.raises(EmptyDocument) as caught:
        read_bytes("scan.pdf", pdf([], []))
    assert "2 page(s)" in caught.value.message
    assert "OCR" in caught.value.hint


@pytest.mark.parametrize(
    "data", [b"%PDF-1.4", b"%PDF-1.4\n%%EOF", b"not a pdf", b"\0" * 5_000, BOOK[:-8], BOOK[:900]]
)
def test_damaged(data: bytes) -> None:
    with pytest.raises(DamagedDocument) as caught:
        read_bytes("a.pdf", data)
    assert "a.pdf" in caught.value.message
    assert caught.value.hint


def test_a_web_page_that_was_saved_as_pdf() -> None:
    with pytest.raises(DamagedDocument, match="HTML page"):
        read_bytes("a.pdf", b"<!DOCTYPE html><html>Not found")


def test_a_picture_of_a_page() -> None:
    picture = Image.open(io.BytesIO(page_image(BOOK, 1, scale=2)))
    assert (picture.format, picture.size) == ("PNG", (1224, 1584))


def test_a_picture_is_never_huge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_PIXELS", 10_000)
    picture = Image.open(io.BytesIO(page_image(BOOK, 1)))
    assert picture.width * picture.height <= 10_400
    box = word_boxes(BOOK, 1, 0, 3)[0]
    assert box.right < picture.width


def darkest(picture: Image.Image, box: Box) -> int:
    return int(picture.convert("L").crop(box).getextrema()[0])


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_boxes_lie_on_the_words(rotate: int) -> None:
    data = pdf([Text(300, 400, "marked"), Text(300, 430, "Other")], rotate=rotate)
    text = read_bytes("a.pdf", data).text
    start = text.index("marked")
    boxes = word_boxes(data, 1, start, start + 6)
    picture = Image.open(io.BytesIO(page_image(data, 1)))
    assert boxes
    assert all(darkest(picture, box) < 128 for box in boxes)
    for box in boxes:
        picture.paste("white", box)
    rest = word_boxes(data, 1, text.index("Other"), text.index("Other") + 5)
    for box in rest:
        picture.paste("white", box)
    assert darkest(picture, Box(0, 0, *picture.size)) == 255  # nothing was drawn outside the boxes


def test_a_word_divided_at_a_line_end_has_two_boxes() -> None:
    text = read_bytes("a.pdf", BOOK).text
    start = text.index("paragraph")
    first, second = word_boxes(BOOK, 1, start, start + len("paragraph"))
    assert first.left > second.left
    assert first.bottom < second.bottom


def test_boxes_follow_chinese_lines() -> None:
    extracted = read_bytes("a.pdf", BOOK)
    page = extracted.pages[1]
    start = extracted.text.index("实质") - page.start
    first, second = word_boxes(BOOK, 2, start, start + 2)
    assert first.left > second.left


def test_boxes_of_nothing() -> None:
    assert word_boxes(BOOK, 1, 5, 5) == []
    assert word_boxes(BOOK, 1, 5_000, 6_000) == []


def test_pages_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(BOOK)
    assert page_image(path, 2) == page_image(BOOK, 2)
    for number in (0, 3, -1):
        with pytest.raises(DocumentMissing, match=f"a.pdf has no page {number}"):
            page_image(path, number)
    with pytest.raises(DocumentMissing):
        word_boxes(tmp_path / "b.pdf", 1, 0, 1)


def test_many_threads_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(BOOK)
    expected, failures = read(path), []

    def work() -> None:
        for _ in range(5):
            if read(path) != expected or not page_image(path, 1, scale=0.5) or not word_boxes(path, 2, 0, 9):
                failures.append(threading.current_thread().name)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
