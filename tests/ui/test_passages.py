from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.ui.passages import marked


def test_the_cited_words_are_marked_in_their_text() -> None:
    assert marked("one two three", [(4, 7)]) == [("one ", False), ("two", True), (" three", False)]


def test_overlapping_places_become_one() -> None:
    assert marked("abcdef", [(1, 3), (2, 5)]) == [("a", False), ("bcde", True), ("f", False)]


def test_a_long_text_is_cut_on_both_sides() -> None:
    text = "x" * 50 + "\n" + "y" * 30 + "HIT" + "z" * 90
    assert marked(text, [(81, 84)], around=40) == [
        ("…\n", False),
        ("y" * 30, False),
        ("HIT", True),
        ("z" * 40, False),
        ("…", False),
    ]


@given(st.text(max_size=80), st.lists(st.tuples(st.integers(-5, 90), st.integers(-5, 90)), max_size=4))
def test_nothing_is_lost_or_doubled(text: str, spans: list[tuple[int, int]]) -> None:
    assert "".join(piece for piece, _ in marked(text, spans)) == text
