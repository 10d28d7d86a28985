"""What is to be answered, and who writes the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from app.errors import EngineError
from app.schema import Answer, Message

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_core.language_models import BaseChatModel


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


class Turn(Protocol):
    """A place in the line of those who want an answer; safe from any thread."""

    @property
    def place(self) -> int:
        """How many are before it, itself included; 0 once it is its turn."""

    def wait(self) -> bool:
        """Until it is its turn; whether it came, or was given up. Raises HotswapError where it never will."""

    async def wait_async(self) -> bool:
        """:meth:`wait` for an event loop."""

    def give_up(self) -> None:
        """Wait no longer; without effect once it is its turn."""

    def leave(self) -> None:
        """Done, or gone: the next one may come. May be called twice."""


class Retriever(Protocol):
    """Finds what a question is answered from, as LangChain's retrievers do."""

    def invoke(self, input: str) -> list[Document]:
        """The documents, best first; none where they are not about the question."""

    async def ainvoke(self, input: str) -> list[Document]:
        """:meth:`invoke` for an event loop."""


@dataclass(frozen=True)
class Wishes:
    """How one answer shall be written; None leaves it to the engine's settings.

    ``stop``: strings that end it, unsaid. ``instructions`` are added to the product's own.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    instructions: str = ""

    def keywords(self) -> dict[str, Any]:
        """Those that a chat model is called with."""
        named = {"temperature": self.temperature, "top_p": self.top_p, "max_tokens": self.max_tokens}
        given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        return {**given, "stop": list(self.stop)} if self.stop else given


def _unobserved(answer: Answer, error: Exception | None, left: bool) -> None:
    pass


@dataclass(frozen=True)
class Request:
    """What to answer, from what, and by whom.

    The callables are called when they are needed, ``writer`` for a refusal only if it rewrites a follow-up.
    ``query`` is how a follow-up is searched, where that is known already and the writer need not rewrite it.
    ``fallback`` is given the error of a writer that failed before its first word and says who writes instead, if
    anyone. Without a ``retriever`` it is plain chat. ``engine`` and ``model`` name the writer before it is called.
    ``conversation`` names what the question belongs to, so that one server may answer all of it. ``turn`` lines up
    when the work begins, and may raise HotswapError. ``on_end`` is told of the answer once it has ended, why it failed
    or broke off, and whether its reader left before the end.
    """

    question: str
    history: tuple[Message, ...]
    retriever: Callable[[], Retriever] | None
    writer: Callable[[], Writer]
    fallback: Callable[[EngineError], Writer | None] | None = None
    engine: str = ""
    model: str = ""
    conversation: str = ""
    query: str = ""
    wishes: Wishes = Wishes()
    turn: Callable[[], Turn] | None = None
    on_end: Callable[[Answer, Exception | None, bool], None] = _unobserved
