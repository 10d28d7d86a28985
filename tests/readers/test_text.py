"""Plain text and Markdown: offsets are those of the decoded file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DocumentError
from app.readers import read_bytes
from app.schema import ExtractedText


def markdown(source: str) -> ExtractedText:
    return read_bytes("a.md", source.encode())


def titles(source: str) -> list[tuple[int, str]]:
    return [(heading.level, heading.title) for heading in markdown(source).headings]


@pytest.mark.parametrize("suffix", [".txt", ".md", ".csv", ".tsv", ".log", ".rst"])
def test_the_text_is_the_file(suffix: str) -> None:
    source = 'a,b\r\n\r\n1,"x\ny"\r  中\u2028文\v\f\n\n'
    assert read_bytes(f"a{suffix}", b"\xef\xbb\xbf" + source.encode()).text == source


def test_headings_start_where_their_lines_do() -> None:
    source = (
        "intro\r\n\r\n# 第一章 ##\r\ntext\r\n\r\n  ### Deep `code` [link](http://x) ###\r"
        "Setext *it*\n===\n\nSecond\n---\n"
    )
    extracted = markdown(source)
    assert [(heading.level, heading.title) for heading in extracted.headings] == [
        (1, "第一章"),
        (3, "Deep code link"),
        (1, "Setext it"),
        (2, "Second"),
    ]
    starts = [source[heading.start :].split()[0] for heading in extracted.headings]
    assert starts == ["#", "###", "Setext", "Second"]


@pytest.mark.parametrize(
    "source",
    [
        "```\n# code\n```",
        "~~~~ python\n# code\n~~~\n# still code\n~~~~",
        "```\n# never closed",
        "    # indented code",
        "#no blank",
        "####### seven",
        "#",
        "text\n\n---\n",
        "- item\n---\n",
        "> quote\n---\n",
        "| a | b |\n---\n",
        "two lines of text\nthen a rule\n---\n",
        "---\ntitle: x\n# comment\nlist:\n---\nbody",
        "---\ntitle: x\n...\nbody",
    ],
)
def test_what_is_no_heading(source: str) -> None:
    assert titles(source) == []


def test_headings_around_code_and_front_matter() -> None:
    assert titles("---\ntitle: x\n---\n# One\n```c\n#include\n```\n## Two\n``` a`b\n### Three") == [
        (1, "One"),
        (2, "Two"),
        (3, "Three"),
    ]


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.log"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_headings_of_wiki_markup(name: str, newline: str) -> None:
    lines = [
        "before", "= Robert Boulter =", "text", " == Career == ", "= = = 2002 [[–]] 2004 = = =", "more", "== 早年 ==",
        "====== six ======", "end",
    ]  # fmt: skip
    source = newline.join(lines)

    extracted = read_bytes(name, source.encode())

    assert extracted.text == source
    assert [(heading.level, heading.title) for heading in extracted.headings] == [
        (1, "Robert Boulter"),
        (2, "Career"),
        (3, "2002 [[–]] 2004"),
        (2, "早年"),
        (6, "six"),
    ]
    starts = [source[heading.start :].split(newline)[0] for heading in extracted.headings]
    assert starts == [line for line in lines if "=" in line]


@pytest.mark.parametrize(
    "line",
    [
        "a = b", "== one =", "= two ==", "==no blank==", "== ==", "=", "====", "==== ====", "= a = b =", "x == y ==",
        "======= seven =======", "== not closed", "a == b == c", "== title == rest",
    ],
)  # fmt: skip
def test_what_is_no_heading_of_wiki_markup(line: str) -> None:
    for text in (line, f"before\n\n{line}\nafter"):
        assert read_bytes("a.txt", text.encode()).headings == ()


def test_wiki_markup_in_code_is_none() -> None:
    assert titles("```\n== code ==\n```\n== One ==") == [(2, "One")]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("mark", ["=", "= ", " =", "= a ", "=\t", "== x ==\n", " "])
def test_long_lines_of_wiki_marks_are_read_in_time(mark: str) -> None:
    source = "= " + mark * 200_000 + "x\n" + mark * 200_000 + "x ="
    assert read_bytes("a.txt", source.encode()).text == source


MARKS = st.sampled_from(
    ["#", "##", "== a ==", "=", " ", "\n", "\r\n", "\r", "---", "===", "```", "~~~", "title", "中文", "- ", "> ", "\t"]
)


@given(st.lists(MARKS, max_size=40).map("".join))
def test_headings_are_in_order_and_start_lines(source: str) -> None:
    try:
        extracted = markdown(source)
    except DocumentError:
        assert not source.strip()
        return
    starts = [heading.start for heading in extracted.headings]
    assert starts == sorted(set(starts))
    assert all(start == 0 or source[start - 1] in "\r\n" for start in starts)
    assert all(heading.title and 1 <= heading.level <= 6 for heading in extracted.headings)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("mark", ["#", "# ", "[", "[](", "`", "- ", "---\n", " ", "=", "*"])
def test_long_lines_of_marks_are_read_in_time(mark: str) -> None:
    source = "# " + mark * 200_000 + "x\n" + mark * 200_000 + "x"
    assert markdown(source).text == source
