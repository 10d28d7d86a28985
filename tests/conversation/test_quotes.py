from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.conversation.citations import cite, fold
from app.conversation.quotes import Quote, take_out
from app.schema import Passage
from tests.conversation.parts import passage

SKY = passage("The sky is **blue** during\nthe day. At night it is black.", start=40)
GRASS = passage("Grass is green in spring and yellow in autumn.", start=7)


def put_back(pieces: list[str | Quote], answer: str, passages: list[Passage]) -> str:
    """What a reader sees while all documents are there."""

    def words(quote: Quote) -> str:
        source = passages[citations[quote.citation].n - 1]
        return source.text[quote.start - source.start : quote.end - source.start]

    citations = cite(answer, passages)
    return "".join(piece if isinstance(piece, str) else words(piece) for piece in pieces)


def test_quotations_become_pointers_and_own_words_stay() -> None:
    answer = "Well: The sky is blue during the day. [1]\nMy own words. [2]"
    pieces = take_out(answer, cite(answer, [SKY, GRASS]))
    assert pieces == ["Well: The sky is blue during the day. [1]\nMy own words. [2]"]  # no sentence of the passage

    answer = "- The sky is blue during the day. [1]\nMy own words. [2]"
    pieces = take_out(answer, cite(answer, [SKY, GRASS]))
    assert pieces == ["- ", Quote(0, 40, 40 + 35), " [1]\nMy own words. [2]"]


def test_a_quotation_without_its_marker_is_taken_out_as_well() -> None:
    answer = "Grass is green in spring and yel"
    assert take_out(answer, cite(answer, [SKY, GRASS])) == [Quote(1, 7, 7 + len(answer))]
    repeated = "At night it is black. [1] I repeat: At night it is black."
    assert not any("black" in piece for piece in take_out(repeated, cite(repeated, [SKY])) if isinstance(piece, str))


def test_an_answer_without_citations_stays_as_it_is() -> None:
    assert take_out("Hello.", ()) == ["Hello."]
    assert take_out("", ()) == []


words = st.sampled_from(
    [
        "The sky is blue during the day.",
        "At night it is black.",
        "Grass is green in spring",
        "own words",
        " [1]",
        "[2]",
        "\n",
        " ",
        "**",
        "- ",
    ]
)


@given(st.lists(words, max_size=10).map("".join))
def test_nothing_is_lost_but_white_space_and_emphasis(answer: str) -> None:
    passages = [SKY, GRASS]
    pieces = take_out(answer, cite(answer, passages))
    assert fold(put_back(pieces, answer, passages)).text == fold(answer).text
    kept = " ".join(piece for piece in pieces if isinstance(piece, str))
    assert all(citation.text not in kept for citation in cite(answer, passages) if citation.supported)


@given(st.text(alphabet="ab *_\n.[12]字", max_size=80), st.text(alphabet="ab *_\n.字", min_size=1, max_size=80))
def test_any_text_can_be_put_back(answer: str, source: str) -> None:
    passages = [passage(source, 5)]
    pieces = take_out(answer, cite(answer, passages))
    assert fold(put_back(pieces, answer, passages)).text == fold(answer).text
