"""The chat model of engines whose model runs in this process: a prompt goes in, pieces of text come out of a feed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, SystemMessage
from langchain_core.outputs import ChatGenerationChunk

from app.engines.feed import Feed
from app.engines.streaming_chat import StreamingChatModel
from app.errors import EngineError, EngineTimeout, EngineUnavailable, IncompleteAnswer


@dataclass(frozen=True)
class Sampling:
    """How to write one answer. ``temperature`` 0 takes the likeliest token; ``stop`` strings end it unsaid.

    ``ignore_eos``: it goes on past its end mark, up to ``max_tokens``. ``return_token_ids``: each piece tells its
    tokens, and those that are no text (yet) are pieces too. Both are for measurements, and named as in vLLM.
    """

    temperature: float
    top_p: float
    max_tokens: int
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    return_token_ids: bool = False


@dataclass(frozen=True)
class Piece:
    """Some text of an answer. The last one carries ``finish_reason`` (``stop`` or ``length``) and the token counts.

    ``ids`` are the tokens that came with it, where they were asked for; of half a character there is no text.
    """

    text: str
    finish_reason: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    ids: tuple[int, ...] = ()


Turns = list[dict[str, str]]
"""``{"role": "system" | "user" | "assistant", "content": …}``, as chat templates take them."""
Begin = Callable[[Turns, Sampling], Feed[Piece]]
"""Begins an answer; called from any thread. Closing the feed aborts it. Raises EngineError."""


class LocalChatModel(StreamingChatModel):
    """A chat model over ``begin``; ``patience`` is the time for the first token and between two, in seconds.

    Keywords of a call are the fields of :class:`Sampling`; with ``return_token_ids`` a chunk has them in its
    ``response_metadata["token_ids"]``.
    """

    model_name: str
    begin: Begin
    temperature: float
    top_p: float
    max_tokens: int
    patience: float

    @property
    def _llm_type(self) -> str:
        return "hotswap-local"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model_name}

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        reply = _Reply(self.model_name, self.patience)
        feed = self.begin(turns(messages), self._sampling(stop, kwargs))
        try:
            while not reply.whole:
                try:
                    piece = feed.next(self.patience)
                except Exception as error:
                    raise reply.fault(error) from error
                chunk = reply.take(piece)
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        finally:
            feed.close()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        reply = _Reply(self.model_name, self.patience)
        feed = await self._abegin(turns(messages), self._sampling(stop, kwargs))
        try:
            while not reply.whole:
                try:
                    piece = await feed.anext(self.patience)
                except Exception as error:
                    raise reply.fault(error) from error
                chunk = reply.take(piece)
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        finally:
            feed.close()

    async def _abegin(self, said: Turns, sampling: Sampling) -> Feed[Piece]:
        """``begin`` in a thread; a reader that leaves meanwhile leaves no answer behind."""
        beginning = asyncio.ensure_future(asyncio.to_thread(self.begin, said, sampling))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            beginning.add_done_callback(_close_unread)
            raise

    def _sampling(self, stop: Sequence[str] | None, kwargs: dict[str, Any]) -> Sampling:
        return Sampling(
            temperature=float(kwargs.get("temperature", self.temperature)),
            top_p=float(kwargs.get("top_p", self.top_p)),
            max_tokens=int(kwargs.get("max_tokens", self.max_tokens)),
            stop=tuple(stop or ()),
            ignore_eos=bool(kwargs.get("ignore_eos", False)),
            return_token_ids=bool(kwargs.get("return_token_ids", False)),
        )


class _Reply:
    """What has come of one answer, and what each fault means at this point."""

    def __init__(self, name: str, patience: float) -> None:
        self._name = name
        self._patience = patience
        self._begun = False
        self.whole = False

    def take(self, piece: Piece | None) -> ChatGenerationChunk:
        """``piece`` as a chunk; without one the answer has ended without saying how."""
        if piece is None:
            raise self.fault(EngineUnavailable("it ended without its end mark."))
        self._begun = True
        told: dict[str, Any] = {"token_ids": list(piece.ids)} if piece.ids else {}
        if piece.finish_reason is None:
            return ChatGenerationChunk(message=AIMessageChunk(content=piece.text, response_metadata=told))
        self.whole = True
        message = AIMessageChunk(
            content=piece.text,
            response_metadata={**told, "finish_reason": piece.finish_reason, "model_name": self._name},
            usage_metadata={
                "input_tokens": piece.input_tokens,
                "output_tokens": piece.output_tokens,
                "total_tokens": piece.input_tokens + piece.output_tokens,
            },
            chunk_position="last",
        )
        return ChatGenerationChunk(message=message, generation_info={"finish_reason": piece.finish_reason})

    def fault(self, error: Exception) -> EngineError:
        """What ``error`` means: it ends an answer that has begun, else it says why none came."""
        timeout = isinstance(error, TimeoutError)
        if self._begun:
            words = getattr(error, "message", str(error)).rstrip(".")
            reason = f"nothing came for {self._patience:g} seconds" if timeout else words
            return IncompleteAnswer(f"The answer of {self._name} broke off: {reason}.", "Ask again.")
        if timeout:
            return EngineTimeout(
                f"{self._name} did not begin to answer within {self._patience:g} seconds.",
                "It may be busy with other questions: ask again, or raise timeout in llm.params.",
            )
        if isinstance(error, EngineError):
            return error
        return EngineUnavailable(f"{self._name} failed: {type(error).__name__}: {error}", "See the log; ask again.")


def _close_unread(beginning: asyncio.Future[Feed[Piece]]) -> None:
    if not beginning.cancelled() and beginning.exception() is None:
        beginning.result().close()


def turns(messages: Sequence[BaseMessage]) -> Turns:
    """``messages`` as chat templates take them: neighbours of one role are joined, since some insist on turns."""
    joined: Turns = []
    for message in messages:
        role = "system" if isinstance(message, SystemMessage) else "user"
        role = "assistant" if isinstance(message, AIMessage) else role
        if joined and joined[-1]["role"] == role:
            joined[-1]["content"] += f"\n\n{message.text}"
        else:
            joined.append({"role": role, "content": str(message.text)})
    return joined
