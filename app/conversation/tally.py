"""What is told of an answer beside its words: how long it took, how many tokens, who was asked, how it ended."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from app.schema import RouteTry, Timings, Usage

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk

_CUT_OFF = {
    "length": (
        "The answer reached the length allowed and ends there.", "Raise llm.params.max_tokens for longer answers.",
    ),
    "content_filter": ("The server's content filter ended the answer.", "Ask in other words, or another engine."),
}  # fmt: skip
"""What is told of an answer that ends for another reason than its own end, by ``finish_reason``."""


class Tally:
    """Kept by who writes an answer. Milliseconds since :meth:`begin`, waiting for a turn included."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._turned = 0.0
        self._retrieval_ms = 0.0
        self._ttft_ms: float | None = None
        self.cut_off: tuple[str, ...] = ()
        self.finish_reason = "stop"
        self.usage: Usage | None = None
        self.routes: tuple[RouteTry, ...] = ()
        self.routed_model = ""

    def begin(self) -> None:
        """The work begins, perhaps with waiting."""
        self._began = perf_counter()

    def turn(self) -> None:
        """The waiting is over."""
        self._turned = self._since_begin()

    def searched(self) -> None:
        """The passages are there."""
        self._retrieval_ms = self._since_begin() - self._turned

    def spoke(self) -> None:
        """There is text."""
        if self._ttft_ms is None:
            self._ttft_ms = self._since_begin()

    @property
    def spoken(self) -> bool:
        """Whether the reader has seen any text."""
        return self._ttft_ms is not None

    def timings(self, refused: bool) -> Timings:
        """As they are now."""
        return Timings(self._retrieval_ms, None if refused else self._ttft_ms, self._since_begin(), self._turned)

    def new_writer(self) -> None:
        """Another engine writes from here on."""
        self.cut_off, self.finish_reason, self.usage, self.routed_model = (), "stop", None, ""

    def take(self, chunk: AIMessageChunk) -> None:
        """Reads what a chunk tells beside its text."""
        told = chunk.response_metadata
        if told.get("finish_reason") in _CUT_OFF:
            self.finish_reason = told["finish_reason"]
            self.cut_off = _CUT_OFF[self.finish_reason]
        if chunk.usage_metadata:
            self.usage = Usage(chunk.usage_metadata["input_tokens"], chunk.usage_metadata["output_tokens"])
        if "routes" in told:  # one of several servers, and perhaps of several models
            self.routes += tuple(RouteTry(**tried) for tried in told["routes"])
            self.routed_model = told["model_name"]

    def _since_begin(self) -> float:
        """More than none once the work began."""
        return 0.0 if self._began is None else max(0.001, round((perf_counter() - self._began) * 1000, 3))
