"""Models and retrievers for these tests: real LangChain parts whose words are given."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from app.schema import Passage

INSTALL = Document(
    "Hotswap needs Python 3.11. Install it with `make setup` on **Linux**.\nIt takes two minutes.",
    metadata={
        "doc": "install.md",
        "start": 100,
        "end": 191,
        "page": 2,
        "heading": "Setup",
        "score": 1.5,
        "document_id": 7,
        "sha256": "aa",
    },
)
MEMORY = Document("A model of seven billion\nparameters needs 16 GB of memory.", metadata={"source": "memory.md"})


class Given(BaseRetriever):
    """Gives its documents to every query, and remembers the queries."""

    documents: list[Document]
    queries: list[str] = Field(default_factory=list)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        self.queries.append(query)
        return self.documents


class Scripted(BaseChatModel):
    """Streams ``pieces``, then raises ``error`` if there is one; ``invoke`` gives ``reply``."""

    pieces: list[str] = Field(default_factory=list)
    error: Exception | None = None
    reply: str = ""
    reply_error: Exception | None = None
    finish_reason: str = "stop"
    pause: float = 0.0
    seen: list[list[BaseMessage]] = Field(default_factory=list)
    closed: list[int] = Field(default_factory=list)
    """After how many pieces each stream was closed."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.seen.append(messages)
        if self.reply_error:
            raise self.reply_error
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self.reply))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        self.seen.append(messages)
        given = 0
        try:
            for piece in self.pieces:
                time.sleep(self.pause)
                given += 1
                yield _chunk(piece)
            if self.error:
                raise self.error
            yield self._last()
        finally:
            self.closed.append(given)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        self.seen.append(messages)
        given = 0
        try:
            for piece in self.pieces:
                given += 1
                yield _chunk(piece)
            if self.error:
                raise self.error
            yield self._last()
        finally:
            self.closed.append(given)

    def _last(self) -> ChatGenerationChunk:
        message = AIMessageChunk("", response_metadata={"finish_reason": self.finish_reason}, chunk_position="last")
        return ChatGenerationChunk(message=message)


def _chunk(text: str) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(text))


def passage(text: str, start: int = 0, doc: str = "a.md") -> Passage:
    """A passage that stands at ``start`` of its document."""
    return Passage(doc, start, start + len(text), None, "", text, 1.0, document_id=1, sha256="aa")


def cuts(text: str, sizes: list[int]) -> list[str]:
    """``text`` cut into pieces of ``sizes`` characters, the rest at last."""
    pieces = []
    for size in sizes:
        pieces.append(text[:size])
        text = text[size:]
    return [*pieces, text]
