"""What every engine is: something that can be checked, asked and closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from app.schema import EngineStatus

DEFAULT_CONTEXT_WINDOW = 8192
"""Tokens; for a model that does not say how many it takes."""


class Engine(Protocol):
    """A way to have a language model answer."""

    name: str

    def check(self) -> EngineStatus:
        """Whether it can answer now. Takes at most two seconds, never raises, imports nothing heavy."""
        ...

    def chat_model(self) -> BaseChatModel:
        """The model, built on first use and kept.

        It works synchronously, asynchronously and streaming. The last chunk of a stream carries
        ``response_metadata["finish_reason"]`` (``stop`` or ``length``). Closing a stream aborts the request.

        Raises:
            EngineError: here or while answering; ``IncompleteAnswer`` once a part of the answer has come.
        """
        ...

    def context_window(self) -> int:
        """How many tokens the prompt and the answer may have together. Never raises."""
        ...

    def close(self) -> None:
        """Gives back what the model holds. Never raises; may be called more than once."""
        ...
