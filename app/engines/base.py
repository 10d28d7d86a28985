"""What every engine is: something that can be checked, asked and closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from app.models import Fit
    from app.schema import EngineStatus, OnProgress

DEFAULT_CONTEXT_WINDOW = 8192
"""Tokens; for a model that does not say how many it takes."""


class Engine(Protocol):
    """A way to have a language model answer."""

    name: str
    in_process: bool
    """Whether the model's memory is this process's (or its children's) affair."""

    @property
    def takes_memory(self) -> bool:
        """Whether a loaded model takes memory of this machine that ``close`` gives back."""
        ...

    @property
    def loaded(self) -> bool:
        """Whether it holds a model now, so that ``close`` would give something back."""
        ...

    def check(self) -> EngineStatus:
        """Whether it can answer, memory aside: of that tells ``memory``, and a switch can make room.

        Takes at most two seconds, never raises, imports nothing heavy.
        """
        ...

    def memory(self) -> Fit | None:
        """What loading would take and what is free; None once loaded, or where another program has the memory.

        Like ``check`` it never raises and imports nothing heavy.
        """
        ...

    def load(self, on_progress: OnProgress) -> None:
        """Builds and warms the model, so that the next answer begins at once; does nothing the second time.

        Raises:
            EngineError: it cannot be loaded; what was taken for it is given back.
        """
        ...

    def chat_model(self) -> BaseChatModel:
        """The model, loaded on first use and kept.

        It works synchronously, asynchronously and streaming. The last chunk of a stream carries
        ``response_metadata["finish_reason"]`` (``stop`` or ``length``). Closing a stream aborts the request.

        Raises:
            EngineError: here or while answering; ``IncompleteAnswer`` once a part of the answer has come.
        """
        ...

    def context_window(self) -> int:
        """How many tokens the prompt and the answer may have together. Never raises."""
        ...

    def number_format(self) -> str:
        """What the loaded model computes in, such as ``bfloat16`` or ``awq``; empty where that cannot be told."""
        ...

    def close(self) -> None:
        """Gives back what the model holds. Never raises; may be called more than once."""
        ...
