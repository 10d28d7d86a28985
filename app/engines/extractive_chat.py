"""A chat model without a model: its answer is the best sentences of the passages, with their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk

from app.engines.quoting import best_quotes
from app.engines.streaming_chat import StreamingChatModel
from app.errors import EngineUnavailable


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
        lines = _lines(messages)
        for line in lines[:-1]:
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"{line}\n"))
        last = AIMessageChunk(content=lines[-1], chunk_position="last")
        yield ChatGenerationChunk(message=last, generation_info={"finish_reason": "stop"})


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
