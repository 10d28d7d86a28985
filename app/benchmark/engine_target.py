"""An engine of this process as a target: asked as the product asks it, through its chat model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from app.benchmark.target import TargetFault
from app.errors import (
    ContextTooLong,
    EngineTimeout,
    HotswapError,
    IncompleteAnswer,
    ModelDamaged,
    ModelMissing,
    OutOfMemory,
)

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk

    from app.benchmark.prompts import Length, Prompt
    from app.benchmark.target import Hearing
    from app.engines.base import Engine

_FIXED = frozenset({"hf", "vllm", "vllm_openai"})
_KINDS: dict[type[HotswapError], str] = {
    ContextTooLong: "too_long",
    EngineTimeout: "timeout",
    IncompleteAnswer: "cut",
    ModelDamaged: "model_damaged",
    ModelMissing: "model_missing",
    OutOfMemory: "out_of_memory",
}


def has_fixed_length(engine: str) -> bool:
    """Whether the engine called ``engine`` goes on past its end mark where asked to.

    Behind ``vllm_openai`` it is so for vLLM's servers; others may refuse the request.
    """
    return engine in _FIXED


class EngineTarget:
    """``engine`` is the caller's, who loads it before and closes it; its own patience (``llm.params.timeout``) holds.

    A token counts when it leaves the engine. ``hf`` and ``vllm`` give text in whole characters and hold the tokens of
    half a one back, but say at once that they came: those count, or a first Chinese character would seem slow, and an
    answer past its end mark, where many tokens are no text, would seem quick. ``ollama`` and ``vllm_openai`` show
    text alone, so that there the first token is the first text. LangChain's work for each piece, and for a server the
    way to it and its retries, are within the times, as for every reader of the product.
    """

    def __init__(self, engine: Engine, name: str = "") -> None:
        """``name`` is what it is called in the report, else the engine's own. Asks the engine for its model's name."""
        self.name = name or engine.name
        self.model = engine.check().model
        self.has_fixed_length = has_fixed_length(engine.name)
        self._engine = engine
        # Of a loaded engine it is made here, and not in the first answer's time.
        self._chat: BaseChatModel | None = engine.chat_model() if engine.loaded else None

    async def answer(self, prompt: Prompt, length: Length, hearing: Hearing) -> None:
        """See Target. Cancelling the task closes the stream, and with it the engine's request."""
        try:
            if self._chat is None:
                self._chat = await asyncio.to_thread(self._engine.chat_model)
            messages = [dict(message) for message in prompt.messages]
            # Not all of them are every engine's; what one has no word for, it leaves out.
            keywords: dict[str, Any] = {"temperature": 0.0, "max_tokens": length.max_tokens, "return_token_ids": True}
            if length.fixed and self.has_fixed_length:
                keywords["ignore_eos"] = True
            stream = self._chat.astream(messages, **keywords)
            async with aclosing(cast("AsyncGenerator[AIMessageChunk]", stream)) as chunks:
                async for chunk in chunks:
                    _hear(chunk, hearing)
        except HotswapError as error:
            raise TargetFault(_KINDS.get(type(error), "refused"), str(error)) from error
        if hearing.finish_reason is None:
            raise TargetFault("cut" if hearing.times else "empty", "The stream ended without saying how it ended.")

    async def close(self) -> None:
        """See Target."""
        self._chat = None


def _hear(chunk: AIMessageChunk, hearing: Hearing) -> None:
    told = chunk.response_metadata
    ids = told.get("token_ids")
    hearing.piece(str(chunk.text), None if ids is None else len(ids))
    if usage := chunk.usage_metadata:
        hearing.usage(usage["input_tokens"], usage["output_tokens"])
    if reason := told.get("finish_reason"):
        hearing.finish_reason = reason
