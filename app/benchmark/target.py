"""Who is asked in a benchmark, and what is heard of an answer while it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from app.benchmark.prompts import Length, Prompt


class TargetFault(Exception):
    """The answer did not come, or not whole.

    ``kind`` is a stable word: ``unreachable``, ``http_503``, ``timeout``, ``unreadable``, ``error`` (the server said
    so in the midst), ``cut`` (it had begun, and ended without its end mark), ``refused`` (by an engine here) and so on.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Hearing:
    """One answer as it comes. ``now`` gives seconds of the run's clock.

    Pieces are what the engine sent at once: one token, or several. Only the engine's ``usage`` says how many tokens
    there were. A piece without text counts where it has ``ids``: vLLM sends half of a character so.
    """

    __slots__ = ("finish_reason", "ids", "input_tokens", "late", "now", "output_tokens", "pieces", "texts", "times")

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.times: list[float] = []
        self.texts: list[str] = []
        self.pieces = 0
        self.ids: int | None = None
        self.finish_reason: str | None = None
        self.late = False  # more was said after the end mark
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None

    def piece(self, text: str, ids: int | None = None) -> None:
        """Some of the answer, now; ``ids`` is how many tokens it is, where the engine tells."""
        if ids is not None:
            self.ids = (self.ids or 0) + ids
        if text:
            self.texts.append(text)
            self.pieces += 1
        elif not ids:
            return
        self.times.append(self.now())
        if self.finish_reason is not None:
            self.late = True

    def thought(self) -> None:
        """Some of what the model says to itself: tokens like others, but not of the answer's text."""
        self.pieces += 1
        self.times.append(self.now())

    def usage(self, input_tokens: int, output_tokens: int) -> None:
        """The engine's own counts; the last ones hold."""
        self.input_tokens, self.output_tokens = input_tokens, output_tokens

    @property
    def text(self) -> str:
        """What was said."""
        return "".join(self.texts)


class Target(Protocol):
    """Something that answers prompts. Used on one event loop."""

    name: str
    model: str

    async def answer(self, prompt: Prompt, length: Length, hearing: Hearing) -> None:
        """Ask, and pass on what comes; returns when the answer has ended as its protocol wants it.

        Raises:
            TargetFault: it has not.
        """
        ...

    async def close(self) -> None:
        """Let connections go. The engine stays as it is."""
        ...
