"""Word documents: order, headings, lists, tables, and every kind of damage."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from docx.document import Document

from app.errors import DamagedDocument, EmptyDocument, ProtectedDocument, UnsupportedFormat
from app.readers import office, read_bytes
from app.readers.office_numbering import Numbering
from app.schema import ExtractedText
from tests.readers.docx_writer import NAMESPACES, body, replaced, word

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504


def extracted(data: bytes) -> ExtractedText:
    return read_bytes("a.docx", data)


def texts(*elements: str) -> str:
    return extracted(body(*elements)).text


def report(document: Document) -> None:
    document.add_heading("年度报告", 0)
    document.add_paragraph("First paragraph,\nwith a second line.")
    document.add_heading("1  Results", 1)
    document.add_paragraph("point", "List Bullet")
    document.add_paragraph("other point", "List Bullet")
    document.add_paragraph("")
    table = document.add_table(3, 3)
    for index, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = f"c{index}"
    table.cell(0, 0).merge(table.cell(0, 1))
    table.cell(1, 2).merge(table.cell(2, 2))
    document.add_heading("下一节", 2)
    document.add_paragraph("The end.")


def test_a_report_in_its_order() -> None:
    result = extracted(word(report))
    assert result.text == (
        "年度报告\n\nFirst paragraph,\nwith a second line.\n\n1 Results\n\n- point\n- other point\n"
        "| c0 c1 | c2 |\n| c3 | c4 | c5 c8 |\n| c6 | c7 |  |\n\n下一节\n\nThe end."
    )
    assert [(heading.level, heading.title) for heading in result.headings] == [
        (1, "年度报告"),
        (1, "1 Results"),
        (2, "下一节"),
    ]
    assert all(result.text.startswith(heading.title, heading.start) for heading in result.headings)


def test_headings_by_outline_level_and_by_renamed_styles() -> None:
    def fill(document: Document) -> None:
        style = document.styles.add_style("Kapitel", 1)
        style.base_style = document.styles["Heading 2"]
        document.add_paragraph("By a style's parent", "Kapitel")
        document.styles.add_style("标题 3", 1)
        document.add_paragraph("中文样式", "标题 3")
        document.add_paragraph("TOC text", "TOC Heading")

    outline = '<w:p><w:pPr><w:outlineLvl w:val="3"/></w:pPr><w:r><w:t>By level</w:t></w:r></w:p>'
    assert [(heading.level, heading.title) for heading in extracted(word(fill)).headings] == [
        (2, "By a style's parent"),
        (3, "中文样式"),
    ]
    assert [(heading.level, heading.title) for heading in extracted(body(outline)).headings] == [
        (4, "By level")
    ]


def test_styles_that_inherit_in_a_circle() -> None:
    def fill(document: Document) -> None:
        one, two = (document.styles.add_style(name, 1) for name in ("One", "Two"))
        one.base_style, two.base_style = two, one
        document.add_paragraph("text", "One")

    assert extracted(word(fill)).text == "text"


def test_what_python_docx_leaves_out() -> None:
    text = "<w:r><w:t>{}</w:t></w:r>"
    assert (
        texts(
            f"<w:sdt><w:sdtContent><w:p>{text.format('in a control')}</w:p></w:sdtContent></w:sdt>",
            f"<w:p><w:ins>{text.format('inserted ')}</w:ins>"
            "<w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>"
            f"<w:hyperlink>{text.format('linked')}</w:hyperlink></w:p>",
            "<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/><w:t>d</w:t></w:r></w:p>",
            "<w:p><m:oMath><m:r><m:t>x=1</m:t></m:r></m:oMath></w:p>",
            "<w:p><w:r><w:t>around</w:t><mc:AlternateContent><mc:Choice><w:txbxContent>"
            f"<w:p>{text.format('boxed')}</w:p></w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>"
            f"<w:p>{text.format('boxed')}</w:p></w:txbxContent></mc:Fallback></mc:AlternateContent></w:r></w:p>",
            "<w:p><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>",
        )
        == "in a control\n\ninserted linked\n\na b\nc-d\n\nx=1\n\naround\n\nboxed"
    )


def test_tables_within_tables_and_frames() -> None:
    cell = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p>{}</w:tc>"
    inner = f"<w:tbl><w:tr>{cell.format('x', '')}{cell.format('y', '')}</w:tr></w:tbl>"
    assert (
        texts(f"<w:tbl><w:tr>{cell.format('a', inner)}{cell.format('b', '')}</w:tr></w:tbl>")
        == "| a | x | y | | b |"
    )
    assert texts(f"<w:tbl><w:tr>{cell.format('framed', inner)}</w:tr></w:tbl>") == "framed\n\n| x | y |"


def test_notes_follow_at_the_end() -> None:
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    notes = (
        f"<w:footnotes{NAMESPACES}>"
        "<w:footnote w:type='separator' w:id='0'><w:p><w:r><w:t>rule</w:t></w:r></w:p></w:footnote>"
        "<w:footnote w:id='2'><w:p><w:r><w:t>The note.</w:t></w:r></w:p></w:footnote></w:footnotes>"
    )
    data = word(lambda document: document.add_paragraph("Text."))
    relations = "word/_rels/document.xml.rels"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        old = archive.read(relations)
    link = f'<Relationship Id="rId99" Type="{kind}" Target="footnotes.xml"/></Relationships>'.encode()
    data = replaced(data, relations, old.replace(b"</Relationships>", link))
    assert extracted(replaced(data, "word/footnotes.xml", notes.encode())).text == "Text.\n\nThe note."


NUMBERING = (
    "<w:numbering{}><w:abstractNum w:abstractNumId='1'>"
    "<w:lvl w:ilvl='0'><w:start w:val='1'/><w:numFmt w:val='chineseCounting'/>"
    "<w:lvlText w:val='第%1条'/></w:lvl>"
    "<w:lvl w:ilvl='1'><w:start w:val='3'/><w:numFmt w:val='decimal'/><w:lvlText w:val='%1.%2)'/></w:lvl>"
    "<w:lvl w:ilvl='2'><w:numFmt w:val='{}'/><w:lvlText w:val='(%3)'/></w:lvl>"
    "<w:lvl w:ilvl='3'><w:numFmt w:val='bullet'/><w:lvlText w:val='&#xF0B7;'/></w:lvl>"
    "</w:abstractNum><w:num w:numId='7'><w:abstractNumId w:val='1'/></w:num></w:numbering>"
)


def numbering(third: str = "lowerRoman") -> Numbering:
    from lxml import etree

    return Numbering(etree.fromstring(NUMBERING.format(NAMESPACES, third)))


def test_labels_count_as_word_counts() -> None:
    labels = numbering()
    depths = [0, 1, 1, 2, 2, 0, 1, 3, 0]
    assert [labels.label("7", depth) for depth in depths] == [
        *("第一条", "一.3)", "一.4)", "(i)", "(ii)", "第二条", "二.3)", "-", "第三条")
    ]
    assert labels.label("8", 0) == labels.label("7", 5) == ""


@pytest.mark.parametrize(
    ("kind", "count", "label"),
    [
        *(("lowerLetter", 27, "(aa)"), ("upperLetter", 2, "(B)"), ("upperRoman", 1994, "(MCMXCIV)")),
        *(("decimalZero", 5, "(05)"), ("none", 3, "()"), ("noSuchFormat", 12, "(12)")),
        *(
            ("chineseCounting", 10, "(十)"),
            ("chineseCounting", 105, "(一百零五)"),
            ("chineseCounting", 2010, "(二千零一十)"),
        ),
    ],
)
def test_formats_of_numbers(kind: str, count: int, label: str) -> None:
    labels = numbering(kind)
    assert [labels.label("7", 2) for _ in range(count)][-1] == label


def test_list_numbers_are_part_of_the_text() -> None:
    def fill(document: Document) -> None:
        document.add_paragraph("Open the box.", "List Number")
        document.add_paragraph("Close it.", "List Number")

    assert extracted(word(fill)).text == "1. Open the box.\n2. Close it."


def test_a_password() -> None:
    with pytest.raises(ProtectedDocument, match=r"a\.docx is protected by a password"):
        extracted(OLE + "EncryptedPackage".encode("utf-16-le"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (OLE + "WordDocument".encode("utf-16-le"), "an old Word document"),
        (b"%PDF-1.4", "a PDF document"),
        (b"<html>", "an HTML page"),
        (b"just words", "no Word document"),
        (b"PK\x03\x04" + b"\0" * 30, "no Word document"),
        (word(report)[:5_000], "cut off"),
        (replaced(word(report), "word/document.xml", None), "cannot be read"),
        (replaced(word(report), "word/document.xml", b"<w:document"), "cannot be read"),
        (replaced(word(report), "word/styles.xml", b"\0"), "cannot be read"),
        (replaced(word(report), "[Content_Types].xml", b"<Types/>"), "cannot be read"),
    ],
)
def test_damaged(data: bytes, says: str) -> None:
    with pytest.raises(DamagedDocument, match=says) as caught:
        extracted(data)
    assert "a.docx" in caught.value.message
    assert caught.value.hint


def test_a_changed_byte_is_noticed() -> None:
    data = bytearray(word(report))
    data[data.index(b"word/document.xml") + 200] ^= 1
    with pytest.raises(DamagedDocument):
        extracted(bytes(data))


def test_an_archive_that_unpacks_to_far_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    data = replaced(word(report), "word/document.xml", b" " * 2_000_000)
    monkeypatch.setattr(office, "MAX_XML", 1_000_000)
    with pytest.raises(DamagedDocument, match="would unpack"):
        extracted(data)


def test_an_archive_that_lies_about_its_size() -> None:
    data = replaced(word(report), "word/document.xml", b" " * 2_000_000)
    assert data.count(struct.pack("<I", 2_000_000)) == 2
    with pytest.raises(DamagedDocument):
        extracted(data.replace(struct.pack("<I", 2_000_000), struct.pack("<I", 1_000)))


def test_entities_stay_closed() -> None:
    bomb = (
        b'<!DOCTYPE d [<!ENTITY a "' + b"lol" * 1_000 + b'"><!ENTITY x SYSTEM "file:///etc/hostname">]>'
        b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r>'
        b"<w:t>a&a;&x;b</w:t></w:r></w:p></w:body></w:document>"
    )
    assert "lol" not in extracted(replaced(word(report), "word/document.xml", bomb)).text


def test_strict_open_xml() -> None:
    strict = (
        b'<Relationships><Relationship Type="http://purl.oclc.org/ooxml/officeDocument"/></Relationships>'
    )
    with pytest.raises(UnsupportedFormat, match="Strict Open XML"):
        extracted(replaced(word(report), "_rels/.rels", strict))


def test_a_document_without_text() -> None:
    with pytest.raises(EmptyDocument):
        extracted(word(lambda document: document.add_paragraph(" ")))
