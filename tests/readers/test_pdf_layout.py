"""From printed lines to paragraphs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.readers.pdf_layout import INSERTED, Line, lay_out

WIDTH = 300.0


def lines(*texts: str, drop: float = 14, size: float = 12, left: float = 72, top: float = 700) -> list[Line]:
    """Lines one below the other; the longest fills the column, "-|" at the end divides a word."""
    longest = max(map(len, texts))
    made, glyph = [], 0
    for index, text in enumerate(texts):
        words = text.removesuffix("-|")
        origins = list(range(glyph, glyph + len(words)))
        glyph += len(text)
        hyphen = glyph - 2 if text.endswith("-|") else INSERTED
        right = left + WIDTH * len(text.removesuffix("|")) / longest
        made.append(Line(words, origins, left, right, top - index * drop, size, hyphen))
    return made


def test_wrapped_lines_become_one_paragraph() -> None:
    page = lay_out(lines("A sentence that is broken by the", "width of its column, and ends here."))
    assert page.text == "A sentence that is broken by the width of its column, and ends here."
    assert len(page.paragraphs) == 1


def test_chinese_lines_join_without_blanks() -> None:
    assert lay_out(lines("人工智能是计算机科学的一个", "分支，它企图了解智能的实质。")).text == (
        "人工智能是计算机科学的一个分支，它企图了解智能的实质。"
    )


@pytest.mark.parametrize(
    ("above", "below", "joined"),
    [
        ("the docu-|", "ment is here", "the document is here"),
        ("state-of-the-|", "art engines are", "state-of-the-art engines are"),
        ("during COVID-|", "19 we stayed in", "during COVID-19 we stayed in"),
        ("a well-", "known thing that", "a well-known thing that"),
        ("soft and wet -", "and more of that", "soft and wet - and more of that"),
    ],
)
def test_hyphens(above: str, below: str, joined: str) -> None:
    page = lay_out(lines(above, below))
    assert page.text == joined
    assert len(page.origins) == len(page.text)


def test_a_line_that_ends_early_ends_its_paragraph() -> None:
    page = lay_out(
        lines("The first paragraph runs over a line", "and ends.", "The second paragraph begins just below")
    )
    assert page.text.count("\n\n") == 1


def test_space_size_indent_and_bullets_begin_paragraphs() -> None:
    spaced = [*lines("one line of text"), *lines("Another line of it", top=660)]
    larger = [*lines("A heading of the page", size=18), *lines("The text below it is", top=684)]
    indent = [*lines("It goes on to the end.", left=72), *lines("Here the next begins to", left=90, top=686)]
    listed = lines("• first of the points here", "• second of the points", "1. numbered point of it")
    for sample, count in ((spaced, 1), (larger, 1), (indent, 1), (listed, 2)):
        assert lay_out(sample).text.count("\n\n") == count, sample


def test_a_sentence_goes_on_in_the_next_column() -> None:
    left = lines("this is the left column, of which", "the last sentence does not end at", top=100)
    right = lines("its foot but at the head of the", "next one.", left=400, top=700)
    assert "not end at its foot" in lay_out([*left, *right]).text


def test_raised_marks_stay_apart_from_numbers() -> None:
    line = lines("Population 83,190,556")[0]
    mark = Line("1", [50], line.right, line.right + 4, line.base + 5, 7)
    assert lay_out([line, mark]).text == "Population 83,190,556 1"
    word = Line("th", [50], line.right, line.right + 9, line.base + 5, 7)
    assert lay_out([line, word]).text == "Population 83,190,556th"


def test_no_lines() -> None:
    assert lay_out([]).text == ""
    assert lay_out([]).paragraphs == []


NUMBERS = st.floats(-1e4, 1e4, width=32)
WORDS = st.text(st.sampled_from("abC1-. 中。•—"), min_size=1, max_size=12).map(str.strip).filter(bool)
LINES = st.builds(
    lambda text, left, width, base, size, hyphen: Line(
        text, list(range(len(text))), left, left + width, base, size, len(text) if hyphen else INSERTED
    ),
    *(WORDS, NUMBERS, NUMBERS, NUMBERS, st.floats(0.1, 100), st.booleans()),
)


@given(st.lists(LINES, max_size=12))
def test_nothing_is_lost_wherever_lines_stand(sample: list[Line]) -> None:
    page = lay_out(sample)
    assert len(page.text) == len(page.origins)
    printed = "".join(
        char for char, origin in zip(page.text, page.origins, strict=True) if origin != INSERTED
    )
    assert printed.replace("-", "") == "".join(line.text for line in sample).replace("-", "")
    spans = [page.text[paragraph.start : paragraph.end] for paragraph in page.paragraphs]
    assert "\n\n".join(spans) == page.text
