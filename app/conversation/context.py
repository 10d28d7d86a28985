"""What fits a model's context window: the question always, then the best passages and the newest turns."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from app.errors import ContextTooLong
from app.schema import Message, Passage
from app.text import estimate_tokens

_FRAME = 16
"""Tokens around a message or a passage: role marks, tags, number."""
_LEAST = 32
"""Tokens; a passage cut shorter says nothing."""
_LESS = 0.7
"""What the next try keeps of a prompt that was too long, the question aside; the fifth has a quarter of the first."""
_TRIES = 5

Fitting = tuple[tuple[Passage, ...], tuple[Message, ...]]
"""The passages (best first) and the turns (oldest first) that go into a prompt."""


def fits(
    passages: Sequence[Passage], history: Sequence[Message], question: str, window: int, reserve: int
) -> Iterator[Fitting]:
    """What :func:`fit` gives, then less and less of it, for a model that counts more tokens than were estimated.

    It ends after a few tries, or when nothing can be left out any more. The question always stays.

    Raises:
        ContextTooLong: at the first; see :func:`fit`.
    """
    kept, turns = fit(passages, history, question, window, reserve)
    yield kept, turns
    fixed = reserve + estimate_tokens(question) + _FRAME
    for _ in range(1, _TRIES):
        size = sum(map(_passage_cost, kept)) + sum(map(_turn_cost, turns))
        if not size:
            return
        try:
            kept, turns = fit(kept, turns, question, fixed + int(size * _LESS), reserve)
        except ContextTooLong:
            return
        yield kept, turns


def fit(passages: Sequence[Passage], history: Sequence[Message], question: str, window: int, reserve: int) -> Fitting:
    """The passages (best first) and the turns (oldest first) that fit ``window`` tokens beside ``question``.

    ``reserve`` tokens stay free for the instructions and the answer. Turns keep up to a quarter of the room
    when passages want it all. Whole passages are left out from the worst upwards; only the best is cut, when
    it alone is too long, and its ``end`` moves with its text.

    Raises:
        ContextTooLong: the question does not fit, or leaves no room for any passage.
    """
    room = window - reserve - estimate_tokens(question) - _FRAME
    wanted = _turns_within(history, room // 4)[1] if room > 0 else 0
    kept, used = _passages_within(passages, room - wanted)
    if room < 0 or (passages and not kept):
        size = estimate_tokens(question)
        raise ContextTooLong(
            f"The model's {window:,} tokens are too few for this question (about {size:,}) and its answer.",
            "Shorten the question, or choose an engine or a setting with a larger context window.",
        )
    return kept, _turns_within(history, room - used)[0]


def _passages_within(passages: Sequence[Passage], room: int) -> tuple[tuple[Passage, ...], int]:
    kept: list[Passage] = []
    used = 0
    for passage in passages:
        cost = _passage_cost(passage)
        if used + cost > room:
            left = room - cost + estimate_tokens(passage.text)
            if not kept and left >= _LEAST:
                kept.append(_cut(passage, left))
                used = room
            break
        kept.append(passage)
        used += cost
    return tuple(kept), used


def _passage_cost(passage: Passage) -> int:
    return _FRAME + estimate_tokens(passage.doc + passage.heading) + estimate_tokens(passage.text)


def _turn_cost(turn: Message) -> int:
    return _FRAME + estimate_tokens(turn.content)


def _cut(passage: Passage, tokens: int) -> Passage:
    text = passage.text
    length = bisect_right(range(len(text) + 1), tokens, key=lambda size: estimate_tokens(text[:size])) - 1
    return replace(passage, text=text[:length], end=passage.start + length)


def _turns_within(history: Sequence[Message], room: int) -> tuple[tuple[Message, ...], int]:
    """The newest turns that cost at most ``room``, and their cost; the first of them is a question."""
    costs: list[int] = []
    used = 0
    for message in reversed(history):
        cost = _turn_cost(message)
        if used + cost > room:
            break
        costs.append(cost)
        used += cost
    kept = list(history[len(history) - len(costs) :])
    while kept and kept[0].role != "user":
        kept.pop(0)
        used -= costs.pop()
    return tuple(kept), used
