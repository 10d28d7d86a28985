"""What comes into a conversation: the question and the turns before it, checked and in one shape."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Literal

from app.errors import QuestionError, UsageError
from app.schema import Message
from app.text import STOP_WORDS, Language, has_han, language

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    Turn = Message | tuple[str, str] | BaseMessage

MAX_QUESTION = 20_000
"""Characters; more is a document, and belongs in the library."""

_ROLES: dict[str, Literal["user", "assistant"]] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "HumanMessageChunk": "user",
}


def check_question(question: str) -> str:
    """``question`` without the white space around it.

    Raises:
        QuestionError: it is empty, or longer than ``MAX_QUESTION`` characters.
    """
    text = question.strip()
    if not text:
        raise QuestionError("The question is empty.", "Write what you want to know.")
    if len(text) > MAX_QUESTION:
        raise QuestionError(
            f"The question has {len(text):,} characters; at most {MAX_QUESTION:,} are allowed.",
            "Shorten it, or add the long text to the documents and ask about it.",
        )
    return text


def turns(history: Iterable[Turn]) -> tuple[Message, ...]:
    """``history`` as messages, oldest first.

    It may hold ``schema.Message``, ``(role, content)`` pairs (``user``/``human``, ``assistant``/``ai``) and
    LangChain messages, mixed. Blank messages and LangChain's other kinds (system, tool) are no turns.

    Raises:
        UsageError: something else is among them, or a role is unknown.
    """
    return tuple(message for turn in history if (message := _message(turn)) is not None)


def _message(turn: object) -> Message | None:
    if isinstance(turn, Message):
        role, content = turn.role, turn.content
    elif isinstance(turn, (tuple, list)) and len(turn) == 2 and all(isinstance(part, str) for part in turn):
        if turn[0] not in _ROLES:
            raise UsageError(f"{turn[0]!r} is no role of a conversation.", "Roles are user and assistant.")
        role, content = _ROLES[turn[0]], turn[1]
    elif isinstance(kind := getattr(turn, "type", None), str) and hasattr(turn, "content"):
        if kind not in _ROLES:
            return None
        role, content = _ROLES[kind], str(getattr(turn, "text", turn.content))
    else:
        raise UsageError(
            f"A {type(turn).__name__} is no message of a history.",
            "Give schema.Message, (role, content) pairs or LangChain messages.",
        )
    return Message(role, content) if content.strip() else None


def answered(history: tuple[Message, ...]) -> tuple[Message, ...]:
    """Question and answer by turns, beginning with a question and ending with an answer.

    Many models' chat templates refuse two messages of one role in a row, so a question that got no answer is
    left out, and so is an answer that nobody asked for.
    """
    pairs: list[Message] = []
    for message in history:
        if message.role == "user":
            if pairs and pairs[-1].role == "user":
                pairs.pop()
            pairs.append(message)
        elif pairs and pairs[-1].role == "user":
            pairs.append(message)
    if pairs and pairs[-1].role == "user":
        pairs.pop()
    return tuple(pairs)


def questions(history: tuple[Message, ...], limit: int) -> list[str]:
    """The last ``limit`` questions, newest first."""
    asked = (message.content.strip() for message in reversed(history) if message.role == "user")
    return list(islice(asked, limit))


def is_name(question: str) -> bool:
    """Whether ``question`` is a bare name or number (``Windows 11?``), which belongs to no language."""
    words = re.findall(r"[^\W_]+", question.casefold())
    return not has_han(question) and len(words) <= 4 and not STOP_WORDS.intersection(words)


def language_of(question: str, history: tuple[Message, ...]) -> Language:
    """The language to answer in: the question's; of a bare name, that of the conversation so far."""
    last = questions(history, 1) if is_name(question) else []
    return language(last[0] if last else question)
