"""Whatever a file holds, reading it gives text that keeps its promises, or a DocumentError."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.errors import DocumentError
from app.readers import SUFFIXES, read_bytes
from app.schema import ExtractedText
from tests.readers.docx_writer import word
from tests.readers.pdf_writer import Text, paragraph, pdf

MARKUP = (
    "<!DOCTYPE html><html><head><meta charset=utf-8><title>标题</title></head><body><h1>One</h1><p>A &amp; x"
    "<ul><li>a<li>b</ul><table><tr><th>x<th>y<tr><td>1<td>2</table><pre> code</pre><h2>Two</h2></body></html>"
)
SAMPLES = {
    ".txt": "Plain text.\r\n中文文字。\n".encode() * 5,
    ".md": "# One\n\ntext\n\n## 二\n\n```\n# no\n```\n".encode() * 3,
    ".csv": "名称,price\r\n茶,3\r\n".encode("gb18030") * 5,
    ".html": MARKUP.encode(),
    ".pdf": pdf(
        [Text(72, 740, "Title", 20), *paragraph("Some words that are bro-", "ken in two.")],
        paragraph("人工智能是计算机科学。"),
        outline=[(0, "Title"), (1, "人工")],
    ),
    ".docx": word(lambda document: (document.add_heading("标题", 1), document.add_paragraph("Some text."))),
}


def checked(suffix: str, data: bytes) -> ExtractedText | None:
    """What was read, if anything, after a look at every promise of the readers."""
    try:
        extracted = read_bytes(f"file{suffix}", data)
    except DocumentError as error:
        assert error.message.startswith("file.")
        assert error.hint
        return None
    extracted.text.encode()
    assert extracted.text.strip()
    assert "\0" not in extracted.text
    ends = 0
    for number, page in enumerate(extracted.pages, 1):
        assert page.number == number
        assert ends <= page.start <= page.end <= len(extracted.text)
        ends = page.end
    starts = [heading.start for heading in extracted.headings]
    assert starts == sorted(starts)
    for heading in extracted.headings:
        assert heading.title
        assert heading.level >= 1
        assert 0 <= heading.start < len(extracted.text)
        if suffix in (".html", ".docx"):
            assert extracted.text.startswith(heading.title, heading.start)
    return extracted


@pytest.mark.parametrize("suffix", sorted(SAMPLES))
def test_the_samples_are_sound(suffix: str) -> None:
    assert checked(suffix, SAMPLES[suffix])


@given(st.sampled_from(sorted(SUFFIXES)), st.binary(max_size=300))
@example(".html", b"<\x00?")
@example(".pdf", b"%PDF-1.4 %%EOF")
def test_any_bytes(suffix: str, data: bytes) -> None:
    checked(suffix, data)


@settings(max_examples=200)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_any_truncation(suffix: str, data: st.DataObject) -> None:
    sample = SAMPLES[suffix]
    checked(suffix, sample[: data.draw(st.integers(0, len(sample) - 1))])


@settings(max_examples=200)
@given(
    st.sampled_from(sorted(SAMPLES)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255))),
)
def test_any_changed_bytes(suffix: str, changes: list[tuple[float, int]]) -> None:
    damaged = bytearray(SAMPLES[suffix])
    for place, value in changes:
        damaged[int(place * len(damaged))] = value
    checked(suffix, bytes(damaged))


TAGS = [
    "<h1>",
    "</h1>",
    "<p>",
    "</p>",
    "<table>",
    "<tr>",
    "<td>",
    "</table>",
    "<li>",
    "<pre>",
    "<br>",
    "<title>",
    "<b>",
]


@given(
    st.lists(
        st.sampled_from([*TAGS, "<!--", "-->", "<?xml ?>", "&#0;", "words", "中\n文", "<svg>", " "]),
        max_size=30,
    )
)
def test_any_tags(parts: list[str]) -> None:
    checked(".html", "".join(parts).encode())


@pytest.mark.soak
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("suffix", sorted(SAMPLES))
def test_thousands_of_damaged_files(suffix: str) -> None:
    chance = random.Random(suffix)
    sample = SAMPLES[suffix]
    for end in range(0, len(sample), max(1, len(sample) // 1_000)):
        checked(suffix, sample[:end])
    for _ in range(5_000):
        damaged = bytearray(sample)
        for _ in range(chance.randint(1, 20)):
            start = chance.randrange(len(damaged))
            piece = chance.choice(
                [b"", chance.randbytes(1), chance.randbytes(9), bytes(damaged[start : start + 40]) * 2]
            )
            damaged[start : start + chance.randint(0, 8)] = piece
        checked(suffix, bytes(damaged))
