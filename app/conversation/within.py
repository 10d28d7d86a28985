"""What of the passages and of the conversation goes beside a question into a window, as the product fills it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.conversation.citations import without_markers
from app.conversation.context import Fitting, fits
from app.conversation.prompts import instructions
from app.conversation.turns import answered
from app.schema import Message, Passage
from app.text import Language, estimate_tokens

_ANSWER_ROOM = 1024
"""Tokens of the context window that are left for the answer, where the window has four times as many."""


def within(
    window: int,
    question: str,
    passages: Sequence[Passage],
    history: Sequence[Message],
    language: Language,
    *,
    documents: bool = True,
    wishes: str = "",
) -> Iterator[Fitting]:
    """As :func:`app.conversation.context.fits`, with room for the instructions and the answer.

    ``history`` is all that was said; with ``documents`` its markers, which name other passages, are left out.
    """
    said = answered(tuple(history))
    if documents:
        said = tuple(Message(turn.role, without_markers(turn.content)) for turn in said)
    reserve = min(_ANSWER_ROOM, window // 4) + estimate_tokens(instructions(language, wishes))
    return fits(passages, said, question, window, reserve)
