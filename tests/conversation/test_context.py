from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.context import fit, fits
from app.errors import ContextTooLong
from app.schema import Message, Passage
from app.text import estimate_tokens
from tests.conversation.parts import passage

texts = st.text(alphabet="abc 字，", max_size=400)
histories = st.lists(texts, max_size=8).map(
    lambda said: [Message("user" if index % 2 == 0 else "assistant", text) for index, text in enumerate(said)]
)


@given(st.lists(texts.filter(str.strip), max_size=6), histories, texts, st.integers(64, 1200), st.integers(0, 64))
def test_what_fits_is_within_the_window_best_and_newest_first(
    found: list[str], history: list[Message], question: str, window: int, reserve: int
) -> None:
    passages = [passage(text, 50) for text in found]
    try:
        kept, turns = fit(passages, history, question, window, reserve)
    except ContextTooLong:
        assert estimate_tokens(question) + reserve + 100 > window
        return
    used = sum(estimate_tokens(text) for text in [question, *(p.text for p in kept), *(t.content for t in turns)])
    assert used + reserve <= window
    assert list(turns) == history[len(history) - len(turns) :]
    assert not turns or turns[0].role == "user"
    assert bool(kept) == bool(passages)
    for short, whole in zip(kept, passages, strict=False):
        assert whole.text.startswith(short.text)
        assert short.end == short.start + len(short.text)
    assert all(short == whole for short, whole in zip(kept[1:], passages[1:], strict=False))


def test_everything_is_kept_where_there_is_room() -> None:
    passages = [passage("one"), passage("two")]
    history = [Message("user", "a"), Message("assistant", "b")]
    assert fit(passages, history, "why?", 8192, 1024) == (tuple(passages), tuple(history))


def test_long_passages_leave_a_quarter_to_the_newest_turns() -> None:
    history = [
        Message("user", "old " * 900),
        Message("assistant", "x"),
        Message("user", "new"),
        Message("assistant", "y"),
    ]
    kept, turns = fit([passage("word " * 300)] * 9, history, "why?", 2048, 512)
    assert [turn.content for turn in turns] == ["new", "y"]
    assert 1 <= len(kept) < 9


def test_a_question_that_does_not_fit_says_so_in_numbers() -> None:
    with pytest.raises(ContextTooLong, match=r"8,192 tokens are too few for this question \(about 20,000\)"):
        fit([], [], "字" * 20_000, 8192, 1024)


def test_a_question_that_leaves_no_room_for_a_passage_does_not_fit() -> None:
    with pytest.raises(ContextTooLong):
        fit([passage("long " * 100)], [], "x" * 1200, 512, 100)


def test_thousands_of_turns_are_quick() -> None:
    history = [Message("user", "question " * 20), Message("assistant", "answer " * 50)] * 5000
    assert len(fit([], history, "why?", 8192, 1024)[1]) < 200


def size(passages: Sequence[Passage], turns: Sequence[Message]) -> int:
    return sum(len(p.text) for p in passages) + sum(len(t.content) for t in turns)


@given(st.lists(texts.filter(str.strip), max_size=6), histories, texts, st.integers(64, 1200))
def test_each_try_is_smaller_than_the_one_before_and_keeps_the_best_and_newest(
    found: list[str], history: list[Message], question: str, window: int
) -> None:
    passages = [passage(text, 50) for text in found]
    try:
        tries = list(fits(passages, history, question, window, 32))
    except ContextTooLong:
        with pytest.raises(ContextTooLong):
            fit(passages, history, question, window, 32)
        return
    assert tries[0] == fit(passages, history, question, window, 32)
    assert len(tries) <= 5
    for (more, longer), (less, shorter) in pairwise(tries):
        assert (less, shorter) != (more, longer)
        assert size(less, shorter) <= size(more, longer)
        assert all(short.text == full.text for short, full in zip(less[1:], more[1:], strict=False))
        assert shorter == longer[len(longer) - len(shorter) :]
        assert not shorter or shorter[0].role == "user"
        assert bool(less) == bool(passages)


def test_a_model_that_counts_three_times_as_many_tokens_gets_a_prompt_that_fits() -> None:
    passages = [passage("word " * 60, start) for start in range(9)]
    history = [Message("user", "old " * 50), Message("assistant", "yes " * 50)] * 3
    sizes = [size(*kept) for kept in fits(passages, history, "why?", 2048, 512)]
    assert sizes == sorted(set(sizes), reverse=True)
    assert sizes[-1] < sizes[0] / 3


def test_where_only_the_question_is_left_there_is_no_other_try() -> None:
    assert list(fits([], [], "why?", 2048, 512)) == [((), ())]
    assert list(fits([], [Message("user", "a"), Message("assistant", "b")], "why?", 2048, 512))[-1] == ((), ())
