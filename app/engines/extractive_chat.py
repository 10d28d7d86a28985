"""A chat model without a model: its answer is the best sentences of the passages, with their numbers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk

from app.engines.quoting import best_quotes
from app.engines.streaming_chat import StreamingChatModel
from app.errors import EngineUnavailable
from app.text import estimate_tokens


class ExtractiveChatModel(StreamingChatModel):
    """Answers from ``additional_kwargs["passages"]`` of the last human message, one line each."""

    @property
    def _llm_type(self) -> str:
        return "extractive"

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        text, reason = _within("\n".join(_lines(messages)), stop or (), kwargs.get("max_tokens"))
        lines = text.splitlines(keepends=True) or [""]
        for line in lines[:-1]:
            yield ChatGenerationChunk(message=AIMessageChunk(content=line))
        last = AIMessageChunk(
            content=lines[-1],
            response_metadata={"finish_reason": reason},
            usage_metadata=_usage(messages, text),
            chunk_position="last",
        )
        yield ChatGenerationChunk(message=last, generation_info={"finish_reason": reason})


def _within(text: str, stop: Sequence[str], max_tokens: int | None) -> tuple[str, str]:
    """``text`` up to the first of the strings that end it, or to its most tokens, and the reason for its end."""
    text = text[: min((at for word in stop if word and (at := text.find(word)) >= 0), default=len(text))]
    if max_tokens is None or estimate_tokens(text) <= max_tokens:
        return text, "stop"
    fitting = bisect_right(range(len(text)), max_tokens, key=lambda end: estimate_tokens(text[:end]))
    return text[: max(1, fitting - 1)], "length"


def _usage(messages: list[BaseMessage], text: str) -> UsageMetadata:
    """Estimates: it has no tokens of its own."""
    read, written = sum(estimate_tokens(str(message.text)) for message in messages), estimate_tokens(text)
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)


def _lines(messages: list[BaseMessage]) -> list[str]:
    """The answer's lines, at least one. Raises EngineUnavailable where there is nothing to quote."""
    last = next((message for message in reversed(messages) if isinstance(message, HumanMessage)), None)
    given = last.additional_kwargs if last else {}
    quotes = best_quotes(str(given.get("question", "")), given.get("passages") or ())
    if not quotes:
        raise EngineUnavailable(
            "Without a model an answer needs documents to quote from.",
            "Add documents, or connect a model: start Ollama or set VLLM_BASE_URL.",
        )
    return [f"{quote.text} [{quote.n}]" for quote in quotes]
