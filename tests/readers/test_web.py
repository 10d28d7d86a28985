"""HTML: visible text, in blocks, with headings."""

from __future__ import annotations

import pytest

from app.errors import DamagedDocument, EmptyDocument
from app.readers import read_bytes
from app.schema import ExtractedText

PAGE = """<!DOCTYPE html><html><head><title>Guide &amp; 指南</title><style>p {}</style></head><body>
<nav><a href=/>Home</a></nav>
<h2>Getting
 <em>started</em></h2>
<p>First <b>bold</b>&nbsp;word,<br>new line. <!-- no --> <span hidden>no</span></p>
loose text
<ul><li>one<li>two <ul><li>inner</ul></ul>
<table><tr><th>Name<th>价格<tr><td><p>Tea</p><p>green</p><td>3</table>
<p>中文句子被
换行。</p><pre>def f():
    return 1</pre>
<h3>标题 <span style="display: none">no</span>三</h3><div aria-hidden=true>no</div><script>no()</script>
</body></html>"""
TEXT = """Guide & 指南

Getting started

First bold word,
new line.

loose text

- one
- two

- inner

| Name | 价格 |
| Tea green | 3 |

中文句子被换行。

def f():
    return 1

标题 三"""


def page(markup: str) -> ExtractedText:
    return read_bytes("a.html", markup.encode())


def test_the_visible_text() -> None:
    assert page(PAGE).text == TEXT


def test_headings_lie_in_the_text() -> None:
    extracted = page(PAGE)
    assert [(heading.level, heading.title) for heading in extracted.headings] == [
        (1, "Guide & 指南"),
        (2, "Getting started"),
        (3, "标题 三"),
    ]
    assert all(extracted.text.startswith(heading.title, heading.start) for heading in extracted.headings)


def test_a_first_heading_stands_for_the_title() -> None:
    extracted = page("<title>Site</title><h1>Page</h1><p>text")
    assert extracted.text == "Page\n\ntext"
    assert [heading.title for heading in extracted.headings] == ["Page"]


@pytest.mark.parametrize(
    "markup",
    [
        '<meta charset="gb2312"><p>人工智能</p>',
        '<?xml version="1.0" encoding="GBK"?><html><body>人工智能</body></html>',
        '<meta http-equiv="Content-Type" content="text/html; charset=gbk"><p>人工智能',
    ],
)
def test_the_declared_encoding(markup: str) -> None:
    assert read_bytes("a.htm", markup.encode("gb18030")).text == "人工智能"


def test_a_declaration_that_lies() -> None:
    assert read_bytes("a.htm", '<meta charset="iso-8859-1"><p>人工智能'.encode()).text == "人工智能"
    assert (
        read_bytes("a.htm", '<meta charset="utf-8"><p>人工智能是一个'.encode("utf-16")).text
        == "人工智能是一个"
    )


def test_tables_that_only_lay_out_the_page() -> None:
    extracted = page("<table><tr><td><h2>Menu</h2>a</td><td><table><tr><td>x<td>y</table></td></tr></table>")
    assert extracted.text == "Menu\n\na\n\n| x | y |"
    assert [heading.title for heading in extracted.headings] == ["Menu"]


@pytest.mark.parametrize("markup", ["http://example.com/", "notes.txt", "/etc/passwd", "just words & more"])
def test_a_line_without_tags_is_text_and_never_opened(markup: str) -> None:
    assert page(markup).text == markup


def test_external_entities_stay_out() -> None:
    markup = '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/hostname">]><p>a&x;b</p>'
    assert "&x;" in page(markup).text


def test_impossible_characters_become_text_that_can_be_saved() -> None:
    page("<p>a&#xD800;&#0;&#x110000;b</p>").text.encode()


def test_pages_that_show_nothing() -> None:
    for markup in ("<html></html>", "<script>x()</script>", "<p hidden>x</p>", "<!-- x -->"):
        with pytest.raises(EmptyDocument):
            page(markup)


def test_pages_that_are_no_pages() -> None:
    with pytest.raises(DamagedDocument, match="PDF"):
        read_bytes("a.html", b"%PDF-1.4")


@pytest.mark.parametrize("tag", ["div", "b", "table><tr><td", "ul><li", "h1", "blockquote", "pre"])
def test_deep_nesting(tag: str) -> None:
    extracted = page(f"<p>before</p>{f'<{tag}>' * 3_000}deep")
    assert extracted.text.startswith("before") or "before" in extracted.text
