from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.citations import cite, fold, without_markers
from app.schema import Citation, Passage
from tests.conversation.parts import passage

SKY = passage("# Colours\n\nThe sky is **blue** during\nthe day. At night it is black.", start=40)
GRASS = passage("Grass is green in spring， “hay” is yellow.", start=7, doc="b.md")
DAWN = passage("曙光中的天空是红色的，傍晚也是如此。夜里则是黑色。", start=3, doc="c.md")
ALL = [SKY, GRASS, DAWN]


def told(answer: str, passages: list[Passage] = ALL) -> list[tuple[int, str, bool | None]]:
    """Number, text and support of each citation; whole passages as an empty text."""
    whole = {one.text for one in passages}
    return [
        (c.n, "" if c.text in whole and c.supported is None else c.text, c.supported) for c in cite(answer, passages)
    ]


BLUE = "The sky is **blue** during\nthe day."


@pytest.mark.parametrize(
    "answer",
    [
        "The sky is blue during the day. [1]",
        "The sky is blue during the day.[1]",
        "- The sky is *blue* during the day. [1]",
        "1. The sky is blue during the day. 【1】",
        "Well then. The sky is blue during the day. ［ 1 ］",
        "The sky is blue during the day.\n[1]",
    ],
)
def test_a_verbatim_sentence_narrows_the_citation(answer: str) -> None:
    (citation,) = cite(answer, ALL)
    assert (citation.n, citation.text, citation.supported) == (1, BLUE, True)
    assert (citation.start, citation.end) == (40 + SKY.text.index("The"), 40 + SKY.text.index("The") + len(BLUE))
    assert (citation.doc, citation.document_id, citation.sha256) == ("a.md", 1, "aa")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("The sky is blue during the day [1].", [(1, BLUE[:-1], True)]),
        ("One reads “At night it is black” there [1].", [(1, "At night it is black", True)]),
        ("曙光中的天空是红色的，傍晚也是如此。[3]", [(3, "曙光中的天空是红色的，傍晚也是如此。", True)]),
        ("夜里则是黑色。[3]", [(3, "夜里则是黑色。", True)]),
        ("是黑色。[3]", [(3, "", None)]),  # too short to be no accident
        ("It is black. [1]", [(1, "", None)]),
        ('Grass is green in spring, "hay" is yellow. [2]', [(2, GRASS.text, True)]),
        ("The sky is nearly always blue. [1]", [(1, "", None)]),
        ("All agree. [1][2]", [(1, "", None), (2, "", None)]),
        ("All agree. [1, 2]", [(1, "", None), (2, "", None)]),
        ("All agree. [1] [3]", [(1, "", None), (3, "", None)]),
        ("All agree. [1-3]", [(1, "", None), (2, "", None), (3, "", None)]),
        ("So it is 【2†L1-L4】.", [(2, "", None)]),
        ("都同意。［1、3］", [(1, "", None), (3, "", None)]),
        ("Yes [2]. No [2].", [(2, "", None)]),
        ("At night it is black. [1] Quite another thing. [1]", [(1, "At night it is black.", True), (1, "", None)]),
        ("One [2] and two [9] and [0].", [(2, "", None)]),
        ("Take `row[3]` or [1](http://x) of it [2].", [(2, "", None)]),
        ("```\nrow[3]\n```\nThat is all [2].", [(2, "", None)]),
    ],
)
def test_markers_and_what_they_cite(answer: str, expected: list[tuple[int, str, bool | None]]) -> None:
    assert told(answer) == expected


@pytest.mark.parametrize("answer", ["No marker at all.", "Out of range [7] [0] [123].", "[note] [] [x1] [1234]"])
def test_without_any_valid_marker_all_passages_are_cited(answer: str) -> None:
    assert told(answer) == [(1, "", None), (2, "", None), (3, "", None)]


def test_an_empty_answer_cites_nothing() -> None:
    assert cite(" \n", ALL) == ()
    assert cite("Text [1].", []) == ()


def test_a_marker_inside_a_quotation_is_the_documents_own() -> None:
    source = passage("The tower is tall.[1][2] It was built in 1889 by Eiffel.[3]")
    assert [
        c.n for c in cite("The tower is tall.[1][2] It was built in 1889 by Eiffel.[3] [2]", [SKY, source, GRASS])
    ] == [2]


def test_markers_of_old_answers_are_taken_out_and_code_is_left() -> None:
    assert without_markers("Blue [1], black [2][3].【4】 `a[1]`") == "Blue, black. `a[1]`"


marks = st.sampled_from(
    [
        " [1]",
        "[2]",
        "[1, 2]",
        "[9]",
        "【3】",
        " [0]",
        "[",
        "]",
        ". ",
        "\n",
        "`",
        "**",
        "字",
        "x",
        "The sky is blue during the day.",
    ]
)
answers = st.lists(marks | st.text(max_size=8), max_size=12).map("".join)
documents = st.text(alphabet="ab *_`。.\n\t字\u200b“”[1]", min_size=1, max_size=60)


@given(answers, st.lists(st.tuples(documents, st.integers(0, 500)), max_size=4))
def test_every_citation_is_a_piece_of_its_passage_at_its_place(answer: str, found: list[tuple[str, int]]) -> None:
    passages = [passage(text, start) for text, start in found]
    for citation in cite(answer, passages):
        assert 1 <= citation.n <= len(passages)
        source = passages[citation.n - 1]
        assert source.text[citation.start - source.start : citation.end - source.start] == citation.text
        assert source.start <= citation.start <= citation.end <= source.end


long_documents = st.text(alphabet="abcde ,*_\n字句天空", min_size=30, max_size=200)


@given(long_documents, st.data())
def test_any_verbatim_quotation_is_found(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 20))
    end = data.draw(st.integers(start + 20, len(text)))
    words = " ".join(text[start:end].replace("*", "").replace("_", "").split()).strip(" ,")
    if len(words.replace(" ", "")) < 14:
        return
    (citation,) = cite(f"{words} [1]", [passage(text, 5)])
    assert citation.supported is True
    assert fold(words).text in fold(citation.text).text


@given(answers, st.lists(documents, min_size=1, max_size=3))
def test_one_citation_for_each_number_and_span(answer: str, found: list[str]) -> None:
    cited: tuple[Citation, ...] = cite(answer, [passage(text) for text in found])
    keys = [(citation.n, citation.start, citation.end) for citation in cited]
    assert len(keys) == len(set(keys))


def test_a_giant_answer_is_quick() -> None:
    answer = "The sky is blue during the day [1]. " * 2000 + "[" * 5000 + " [1 " * 2000
    assert cite(answer, ALL)[0].n == 1


def test_clauses_that_a_semicolon_joins_are_cited_together() -> None:
    clauses = "主楼高九层，于一九七四年建成；副楼高五层，于一九八二年建成。"
    source = passage(f"校园很大。{clauses}操场在后面。")
    [citation] = cite(f"{clauses} [1]", [source])
    assert (citation.text, citation.supported) == (clauses, True)


def test_of_joined_clauses_those_that_are_verbatim_are_cited() -> None:
    source = passage("校园很大。主楼高九层，于一九七四年建成；副楼高五层，于一九八二年建成。操场在后面。")
    [citation] = cite("主楼是老房子；副楼高五层，于一九八二年建成。 [1]", [source])
    assert (citation.text, citation.supported) == ("副楼高五层，于一九八二年建成。", True)
