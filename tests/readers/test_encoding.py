"""Which encoding a file is in, and what is no text."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DamagedDocument
from app.readers.encoding import decode

CHINESE = "人工智能是计算机科学的一个分支，它企图了解智能的实质，并生产出一种新的、能做出反应的智能机器。"
TRADITIONAL = "人工智慧是電腦科學的一個分支，它企圖瞭解智慧的實質，並生產出一種新的、能做出反應的智慧機器。"
MIXED = "使用 Python 3.11 安装，然后运行 pip install 即可。The server listens on port 8000."
RUSSIAN = "Искусственный интеллект выполняет творческие функции, которые считаются прерогативой человека."
KOREAN = "인공지능은 인간의 학습능력, 추론능력, 지각능력을 구현하려는 컴퓨터 과학의 세부분야 중 하나이다."
JAPANESE = (
    "人工知能とは、計算という概念とコンピュータという道具を用いて知能を研究する計算機科学の一分野を指す語。"
)
FRENCH = (
    "L'intelligence artificielle est l'ensemble des théories mises en œuvre. Ça coûte 5 €, déjà vu à Noël."
)
POLISH = "Sztuczna inteligencja – inteligencja wykazywana przez urządzenia. Zażółć gęślą jaźń, łódź, żółw."
GREEK = "Ο όρος τεχνητή νοημοσύνη αναφέρεται στον κλάδο της πληροφορικής ο οποίος ασχολείται με τη σχεδίαση."

ENCODED = [
    *(
        (text, encoding)
        for text in (CHINESE, TRADITIONAL, MIXED)
        for encoding in ("utf-8", "gb18030", "utf-16-le")
    ),
    *(
        (text, encoding)
        for text in (CHINESE, MIXED, RUSSIAN)
        for encoding in ("utf-16-be", "utf-16", "utf-32")
    ),
    *((CHINESE, "gb2312"), (TRADITIONAL, "big5"), (RUSSIAN, "cp1251"), (KOREAN, "euc_kr")),
    *((JAPANESE, "euc_jp"), (JAPANESE, "cp932"), (FRENCH, "cp1252"), (POLISH, "cp1250"), (GREEK, "cp1253")),
    ("It’s a “smart” quote — at 20 °C and ½ price. café", "cp1252"),
    ("你好", "gb18030"),
    ("café", "cp1252"),
]


@pytest.mark.parametrize("repeat", [1, 5])
@pytest.mark.parametrize(("text", "encoding"), ENCODED)
def test_common_encodings_are_recognised(text: str, encoding: str, repeat: int) -> None:
    whole = "\r\n".join([text] * repeat)
    assert decode("a.txt", whole.encode(encoding)) == whole


# Characters as documents have them: any but controls, and what is no character.
PRINTED = st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co"), exclude_characters="\ufeff\ufffd")
NEWLINES = st.sampled_from(["\n", "\r\n", "\r", "\t", " "])
COMMON_HAN = st.sampled_from(CHINESE + "我们在中国有这个时候他说上来到地年会可要")
PROSE = st.lists(COMMON_HAN | NEWLINES | st.sampled_from("abcXYZ 0.,;"), max_size=60).map("".join)


@given(st.lists(PRINTED | NEWLINES).map("".join))
def test_utf8_comes_back_exactly(text: str) -> None:
    assert decode("a.txt", text.encode()) == text
    assert decode("a.txt", text.encode("utf-8-sig")) == text


@given(st.lists(PRINTED | NEWLINES).map("".join), st.sampled_from(["utf-16", "utf-32"]))
def test_marked_utf16_and_utf32_come_back_exactly(text: str, encoding: str) -> None:
    assert decode("a.txt", text.encode(encoding)) == text


@given(PROSE, st.sampled_from(["gb18030", "utf-16-le", "utf-16-be"]))
def test_chinese_without_a_mark_comes_back_exactly(prose: str, encoding: str) -> None:
    text = f"{CHINESE}\n{prose}"
    assert decode("a.txt", text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_a_last_character_cut_in_two_is_dropped(encoding: str) -> None:
    assert decode("a.txt", CHINESE.encode(encoding)[:-1]) == CHINESE[:-1]
    assert decode("a.txt", "Plain words, then 中".encode(encoding)[:-1]).startswith("Plain words, then ")


def test_utf8_with_a_few_foreign_bytes_stays_utf8() -> None:
    assert (
        decode("a.log", (CHINESE * 2).encode() + b"\xff\n" + CHINESE.encode())
        == f"{CHINESE * 2}\ufffd\n{CHINESE}"
    )


def test_a_declared_encoding_is_believed_where_it_holds() -> None:
    assert decode("a.html", "Ëèñò".encode("cp1252"), "windows-1251") == "Лист"
    assert decode("a.html", CHINESE.encode(), "gb2312") == CHINESE
    assert decode("a.html", CHINESE.encode("gb18030"), "gb2312") == CHINESE
    assert decode("a.html", CHINESE.encode("gb18030"), "no-such-encoding\0") == CHINESE


@pytest.mark.parametrize("label", ["unicode_escape", "rot13", "hex", "idna", "utf-7", "undefined", ""])
def test_labels_that_no_page_means_are_ignored(label: str) -> None:
    assert decode("a.html", b"caf\xe9 \\q", label) == "café \\q"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG image"),
        (b"PK\x03\x04\x14\0\0\0\x08\0", "a ZIP archive"),
        (b"PK\x03\x04\x14\0\0\0\x08\0word/document.xml", "a Word document"),
        (b"PK\x03\x04\x14\0\0\0\x08\0xl/workbook.xml", "an Excel workbook"),
        (b"\x7fELF\x02\x01\x01\0", "a Linux program"),
        (b"%PDF-1.7\n1 0 obj", "a PDF document"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG image"),
        (b"{\\rtf1\\ansi hello}", "an RTF document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument".encode("utf-16-le"), "an old Word document"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP image"),
        (b"\0\0\0\x18ftypmp42", "an MP4 video"),
    ],
)
def test_what_a_misnamed_file_really_is(data: bytes, says: str) -> None:
    with pytest.raises(DamagedDocument, match=says) as caught:
        decode("notes.txt", data)
    assert "notes.txt" in caught.value.message
    assert caught.value.hint


def test_a_pdf_named_txt_can_be_renamed() -> None:
    with pytest.raises(DamagedDocument) as caught:
        decode("report.txt", b"%PDF-1.4\n")
    assert ".pdf" in caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 100,
        bytes(range(256)),
        b"line one\0line two\n" * 20,
        b"\xff\xfe" + b"\0\0" * 50,
        b"\x01\x02\x03\x04" * 10,
        random.Random(7).randbytes(5_000),
    ],
)
def test_binary_data_is_never_text(data: bytes) -> None:
    with pytest.raises(DamagedDocument, match="binary"):
        decode("a.txt", data)


def test_terminal_colours_and_page_feeds_are_text() -> None:
    text = "\x1b[31merror\x1b[0m\f\nnext page\x1a"
    assert decode("a.log", text.encode()) == text


@pytest.mark.soak
def test_random_data_is_never_text() -> None:
    chance = random.Random(11)
    for size in (256, 1_024, 8_192):
        for _ in range(2_000):
            data = chance.randbytes(size)
            with pytest.raises(DamagedDocument):
                decode("a.txt", data)
