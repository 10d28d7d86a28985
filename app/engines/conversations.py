"""Which conversation a question belongs to, for a chat model that wants to know."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from typing import Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config

from app.engines.streaming_chat import StreamingChatModel

_NAMES = ("conversation_id", "session_id", "thread_id")
"""Where programs put it into a run's metadata; the last is LangGraph's."""


class ConversationChatModel(StreamingChatModel):
    """Its ``_stream`` gets the keyword ``conversation``; LangChain itself keeps a run's metadata from streams."""

    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """As LangChain's."""
        yield from super().stream(input, config, stop=stop, **_named(config, kwargs))

    async def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """As LangChain's."""
        chunks = super().astream(input, config, stop=stop, **_named(config, kwargs))
        async with aclosing(cast("AsyncGenerator[AIMessageChunk]", chunks)) as stream:
            async for chunk in stream:
                yield chunk


def conversation_in(metadata: Mapping[str, Any] | None) -> str:
    """The name in a run's metadata; empty where there is none."""
    return next((str(metadata[name]) for name in _NAMES if metadata.get(name)), "") if metadata else ""


def _named(config: RunnableConfig | None, kwargs: dict[str, Any]) -> dict[str, Any]:
    name = conversation_in(ensure_config(config).get("metadata"))
    return {"conversation": name, **kwargs} if name else kwargs
