"""What is to be answered, and who writes the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.errors import EngineError
from app.schema import Message

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.retrievers import BaseRetriever


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Writer:
    """Who writes the answer; ``context_window`` in tokens.

    ``release`` is called once it writes no more; it may be called twice.
    """

    llm: BaseChatModel
    engine: str = ""
    model: str = ""
    context_window: int = 8192
    release: Callable[[], None] = _nothing


@dataclass(frozen=True)
class Request:
    """What to answer, from what, and by whom.

    The callables are called when they are needed, ``writer`` for a refusal only if it rewrites a follow-up.
    ``fallback`` is given the error of a writer that failed before its first word and says who writes instead, if
    anyone. Without a ``retriever`` it is plain chat. ``engine`` and ``model`` name the writer before it is called.
    ``conversation`` names what the question belongs to, so that one server may answer all of it.
    """

    question: str
    history: tuple[Message, ...]
    retriever: Callable[[], BaseRetriever] | None
    writer: Callable[[], Writer]
    fallback: Callable[[EngineError], Writer | None] | None = None
    engine: str = ""
    model: str = ""
    conversation: str = ""
