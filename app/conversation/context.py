"""What fits a model's context window: the question always, then the best passages and the newest turns."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from app.errors import ContextTooLong
from app.schema import Message, Passage
from app.text import estimate_tokens

_FRAME = 16
"""Tokens around a message or a passage: role marks, tags, number."""
_LEAST = 32
"""Tokens; a passage cut shorter says nothing."""


def fit(
    passages: Sequence[Passage], history: Sequence[Message], question: str, window: int, reserve: int
) -> tuple[tuple[Passage, ...], tuple[Message, ...]]:
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
        frame = _FRAME + estimate_tokens(passage.doc + passage.heading)
        cost = frame + estimate_tokens(passage.text)
        if used + cost > room:
            if not kept and room - frame >= _LEAST:
                kept.append(_cut(passage, room - frame))
                used = room
            break
        kept.append(passage)
        used += cost
    return tuple(kept), used


def _cut(passage: Passage, tokens: int) -> Passage:
    text = passage.text
    length = bisect_right(range(len(text) + 1), tokens, key=lambda size: estimate_tokens(text[:size])) - 1
    return replace(passage, text=text[:length], end=passage.start + length)


def _turns_within(history: Sequence[Message], room: int) -> tuple[tuple[Message, ...], int]:
    """The newest turns that cost at most ``room``, and their cost; the first of them is a question."""
    costs: list[int] = []
    used = 0
    for message in reversed(history):
        cost = _FRAME + estimate_tokens(message.content)
        if used + cost > room:
            break
        costs.append(cost)
        used += cost
    kept = list(history[len(history) - len(costs) :])
    while kept and kept[0].role != "user":
        kept.pop(0)
        used -= costs.pop()
    return tuple(kept), used
