"""What holds for the chunks of any document."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.knowledge.chunker import OVERLAP, TARGET, chunk
from app.schema import ExtractedText, Heading, Page
from app.text import language, sentences, trim

ENGLISH = "The engine reads the passages and writes an answer with the number of each source behind it. "
CHINESE = "模型先阅读检索到的段落，然后写出带有来源编号的回答，读者可以点击编号查看原文。"

bodies = st.lists(
    st.one_of(
        st.sampled_from(
            [ENGLISH, CHINESE, "\n", "\n\n", "- an item\n", "   ", "Short. ", "短句。", "x" * 700, "字" * 900]
        ),
        st.integers(1, 30).map(lambda count: ENGLISH * count),
        st.integers(1, 40).map(lambda count: CHINESE * count),
        st.text(max_size=60),
    ),
    max_size=8,
).map("".join)


@st.composite
def documents(draw: st.DrawFn) -> ExtractedText:
    """Text in sections and pages, in either language, with every irregularity that a reader may hand over."""
    text = draw(bodies) if draw(st.booleans()) else ""
    headings: list[Heading] = []
    for _ in range(draw(st.integers(0, 5))):
        level, title = draw(st.integers(1, 4)), draw(st.sampled_from(["Memory", "显存不足", "Model paths", "a > b"]))
        headings.append(Heading(len(text), level, title))
        text += f"{title}\n" + (draw(bodies) + "\n" if draw(st.booleans()) else "")
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    pages: list[Page] = []
    if draw(st.booleans()):
        edges = [0, *cuts, len(text)]
        pages = [Page(number, start, end) for number, (start, end) in enumerate(pairwise(edges), 1)]
    return ExtractedText(text, tuple(pages), tuple(headings))


@settings(max_examples=150)
@given(documents())
def test_chunks_are_in_order_inside_the_text_and_trimmed(document: ExtractedText) -> None:
    spans = chunk(document)

    assert [span.start for span in spans] == sorted(span.start for span in spans)
    assert all(0 <= span.start < span.end <= len(document.text) for span in spans)
    assert all(trim(document.text, span.start, span.end) == (span.start, span.end) for span in spans)


@settings(max_examples=150)
@given(documents())
def test_every_character_that_can_be_seen_is_in_a_chunk(document: ExtractedText) -> None:
    covered = set[int]().union(*(range(span.start, span.end) for span in chunk(document)))
    visible = {index for index, character in enumerate(document.text) if not character.isspace()}

    assert visible <= covered


@settings(max_examples=150)
@given(documents())
def test_no_chunk_is_much_longer_than_the_target(document: ExtractedText) -> None:
    longest = TARGET[language(document.text)] * 5 // 4

    assert all(span.end - span.start <= longest for span in chunk(document))


@settings(max_examples=150)
@given(documents())
def test_no_chunk_repeats_what_the_one_before_it_has_whole(document: ExtractedText) -> None:
    for one, other in pairwise(chunk(document)):
        assert other.end > one.end
        assert one.end - other.start <= OVERLAP[language(document.text)]


@settings(max_examples=150)
@given(documents())
def test_a_chunk_crosses_a_heading_only_where_nothing_stands_above_it(document: ExtractedText) -> None:
    starts = [heading.start for heading in document.headings]
    for span in chunk(document):
        inside = [start for start in starts if span.start < start < span.end]
        for start in inside:
            above = max([other for other in starts if other < start], default=0)
            between = document.text[above:start].strip()
            assert "\n" not in between and above in starts


@settings(max_examples=150)
@given(documents())
def test_the_page_is_the_one_on_which_the_chunk_begins(document: ExtractedText) -> None:
    for span in chunk(document):
        if not document.pages:
            assert span.page is None
        else:
            page = document.pages[(span.page or 0) - 1]
            assert page.start <= span.start < page.end


@settings(max_examples=100)
@given(documents())
def test_a_chunk_is_made_of_its_sentences(document: ExtractedText) -> None:
    for span in chunk(document):
        edges = [edge for part in span.sentences for edge in part]
        covered = "".join(document.text[start:end] for start, end in span.sentences)

        assert edges == sorted(edges)
        assert (edges[0], edges[-1]) == (span.start, span.end)
        assert "".join(covered.split()) == "".join(document.text[span.start : span.end].split())


@settings(max_examples=100)
@given(documents(), st.sampled_from([1, 7, 40, 200]))
def test_every_chunk_fits_and_nothing_is_lost_for_it(document: ExtractedText, longest: int) -> None:
    """What the model cannot read whole is cut on, at last into single characters."""
    spans = chunk(document, lambda texts: [len(text) <= longest for text in texts])

    assert all(0 < span.end - span.start <= longest for span in spans)
    assert all(one.start < other.start and one.end < other.end for one, other in pairwise(spans))
    covered = set[int]().union(*(range(span.start, span.end) for span in spans))
    assert {index for index, character in enumerate(document.text) if not character.isspace()} <= covered


def test_a_model_that_can_read_nothing_does_not_hold_up_the_chunker() -> None:
    assert len(chunk(ExtractedText("ab 字"), lambda texts: [False] * len(texts))) == 3


@settings(max_examples=100)
@given(documents())
def test_sentences_that_two_chunks_share_are_cut_alike_in_both(document: ExtractedText) -> None:
    for one, other in pairwise(chunk(document)):
        shared = [part for part in one.sentences if part[1] > other.start]
        assert shared == list(other.sentences[: len(shared)])


@settings(max_examples=100)
@given(st.lists(st.sampled_from([ENGLISH, ENGLISH * 2, "No. "]), min_size=1, max_size=60))
def test_sentences_that_fit_are_never_cut(pieces: list[str]) -> None:
    text = "".join(pieces)
    whole = sentences(text)
    starts, ends = {start for start, _ in whole}, {end for _, end in whole}

    for span in chunk(ExtractedText(text)):
        assert span.start in starts
        assert span.end in ends


def test_neighbours_share_their_border() -> None:
    spans = chunk(ExtractedText(ENGLISH * 60))

    assert len(spans) > 3
    assert all(0 < one.end - other.start <= OVERLAP["en"] for one, other in pairwise(spans))


@pytest.mark.parametrize(("sentence", "name"), [(ENGLISH, "en"), (CHINESE, "zh")])
def test_long_text_fills_its_chunks(sentence: str, name: str) -> None:
    spans = chunk(ExtractedText(sentence * 200))
    target = TARGET["zh" if name == "zh" else "en"]

    assert all(target * 2 / 3 < span.end - span.start <= target for span in spans[:-1])


def test_a_cut_at_a_blank_line_is_preferred() -> None:
    first, second = (ENGLISH * 4).strip(), (ENGLISH * 4).strip()
    spans = chunk(ExtractedText(f"{first}\n\n{second}"))

    assert (spans[0].start, spans[0].end) == (0, len(first))


def test_a_cut_at_a_blank_line_never_leaves_a_chunk_that_only_repeats() -> None:
    """The second chunk has room for little that is new, and a blank line before that."""
    short = "A short sentence, that is repeated here. "
    text = "x" * 399 + ". " + short * 2 + "\n\nNext come " + "y" * 20 + ". " + "Z" * 450 + "."
    spans = chunk(ExtractedText(text))

    assert all(one.end < other.end for one, other in pairwise(spans))


def test_headings_are_paths_and_open_their_chunks() -> None:
    text = "Guide\nAll about it.\nMemory\nHow much.\nOn a GPU\nSixteen.\nEngines\nFour."
    headings = [("Guide", 1), ("Memory", 2), ("On a GPU", 3), ("Engines", 2)]
    document = ExtractedText(text, (), tuple(Heading(text.index(title), level, title) for title, level in headings))

    spans = chunk(document)

    assert [span.heading for span in spans] == [
        "Guide",
        "Guide > Memory",
        "Guide > Memory > On a GPU",
        "Guide > Engines",
    ]
    assert [text[span.start : span.end].splitlines()[0] for span in spans] == ["Guide", "Memory", "On a GPU", "Engines"]


def test_text_before_the_first_heading_has_none() -> None:
    text = "Before it all.\nTitle\nBelow."

    spans = chunk(ExtractedText(text, (), (Heading(text.index("Title"), 1, "Title"),)))

    assert [(text[span.start : span.end], span.heading) for span in spans] == [
        ("Before it all.", ""),
        ("Title\nBelow.", "Title"),
    ]


def test_a_heading_with_nothing_below_joins_what_follows() -> None:
    text = "Book\nChapter\nThe text.\nLast"
    headings = (Heading(0, 1, "Book"), Heading(5, 2, "Chapter"), Heading(23, 1, "Last"))

    spans = chunk(ExtractedText(text, (), headings))

    assert [(text[span.start : span.end], span.heading) for span in spans] == [
        ("Book\nChapter\nThe text.", "Book > Chapter"),
        ("Last", "Last"),
    ]


def test_one_long_line_without_a_full_stop_is_cut_at_blanks() -> None:
    text = "word " * 200_000

    spans = chunk(ExtractedText(text))

    assert all(text[span.start : span.end].split()[0] == "word" for span in spans)
    assert all(text[span.start : span.end].split()[-1] == "word" for span in spans)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Operating guide\n\nAll about it.", "Operating guide"),
        ("\n\n  操作指南\n内容在这里。", "操作指南"),
        ("It begins at once.\nAnd goes on.", ""),
        ("直接开始。\n继续。", ""),
        ("As follows:\nOne.", ""),
        ("Only one line", ""),
        ("Only one line\n \n", ""),
        ("word " * 50 + "\nMore.", ""),
        ("x" * 200 + "\nMore.", "x" * 200),
    ],
)
def test_the_first_line_heads_a_document_without_headings_where_it_looks_like_a_title(text: str, title: str) -> None:
    assert {span.heading for span in chunk(ExtractedText(text))} == {title}


def test_the_first_line_heads_nothing_where_there_are_headings() -> None:
    text = "Guide\nBefore it all.\nTitle\nBelow."

    spans = chunk(ExtractedText(text, (), (Heading(text.index("Title"), 1, "Title"),)))

    assert [span.heading for span in spans] == ["", "Title"]


@pytest.mark.parametrize("text", ["", " \n\t\u3000 "])
def test_nothing_gives_no_chunk(text: str) -> None:
    assert chunk(ExtractedText(text)) == []


def test_rows_of_a_table_are_not_cut() -> None:
    rows = [f"SKU-{number},pump type {number},{number}.50,Oslo,in stock" for number in range(200)]
    text = "\n".join(rows)

    for span in chunk(ExtractedText(text)):
        assert set(text[span.start : span.end].split("\n")) <= set(rows)
