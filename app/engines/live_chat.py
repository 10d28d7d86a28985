"""The live engine as one chat model: whoever keeps it follows every switch without knowing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableConfig
from pydantic import ConfigDict

from app.engines.conversations import ConversationChatModel, conversation_in
from app.engines.switch import EngineSwitch


class LiveChatModel(ConversationChatModel):
    """Each answer comes whole from the engine that is live when it begins."""

    switch: EngineSwitch
    model_config = ConfigDict(arbitrary_types_allowed=True)

    @property
    def _llm_type(self) -> str:
        return "hotswap-live"

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with self.switch.lease() as engine:
            config = _config(run_manager, kwargs)
            stream = engine.chat_model().stream(messages, config, stop=stop, **kwargs)
            with closing(cast("Generator[AIMessageChunk]", stream)) as chunks:
                for chunk in chunks:
                    yield ChatGenerationChunk(message=chunk, generation_info=_end(chunk))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        lease = await asyncio.to_thread(self.switch.lease)
        with lease as engine:
            model = await asyncio.to_thread(engine.chat_model)
            config = _config(run_manager, kwargs)
            stream = model.astream(messages, config, stop=stop, **kwargs)
            async with aclosing(cast("AsyncGenerator[AIMessageChunk]", stream)) as chunks:
                async for chunk in chunks:
                    yield ChatGenerationChunk(message=chunk, generation_info=_end(chunk))


def _config(
    manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None, kwargs: dict[str, Any]
) -> RunnableConfig:
    """Hands the conversation's name on, which is no keyword of other models; takes it from ``kwargs``."""
    name = kwargs.pop("conversation", "") or conversation_in(manager.metadata if manager else None)
    return {"metadata": {"conversation_id": name}} if name else {}


def _end(chunk: AIMessageChunk) -> dict[str, Any] | None:
    reason = chunk.response_metadata.get("finish_reason")
    return {"finish_reason": reason} if reason else None
