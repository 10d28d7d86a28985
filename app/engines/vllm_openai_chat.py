"""ChatOpenAI as the product needs it: OpenAI's errors become ours, and no half answer passes for whole."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing
from typing import Any

import openai
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from app.config import Settings
from app.engines.http import CONNECT_SECONDS, client_options, error_text, shown
from app.engines.retry import TryAgain, aretrying, retrying
from app.engines.vllm_openai import SEE_LOG, START_HINT, hidden, list_models, missing, no_api, refused
from app.errors import (
    ContextTooLong,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    IncompleteAnswer,
    OutOfMemory,
)

BROKEN_REASONS = frozenset({"abort", "error"})
"""What vLLM gives as ``finish_reason`` where it stopped an answer itself."""
TOO_LONG = re.compile(r"context (?:length|window|size)|maximum model length|max_model_len", re.IGNORECASE)
MALFORMED = (ValueError, LookupError, TypeError, AttributeError)
"""What the client library raises where a server's JSON has another shape than OpenAI's."""


class VllmOpenAIChatModel(ChatOpenAI):
    """One model of one OpenAI-compatible server.

    ``attempts`` counts the retries before the first token; ``patience`` is the time for it, in seconds.
    """

    attempts: int
    patience: float

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        def attempt() -> Generator[ChatGenerationChunk, None, None]:
            reply = _Reply(self)
            try:
                for chunk in super(VllmOpenAIChatModel, self)._stream(*args, **kwargs):
                    yield from reply.take(chunk)
            except (openai.OpenAIError, *MALFORMED) as error:
                reply.fault(error)
            yield reply.last()

        with closing(retrying(attempt, self.attempts)) as chunks:
            yield from chunks

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        async def attempt() -> AsyncGenerator[ChatGenerationChunk, None]:
            reply = _Reply(self)
            try:
                async for chunk in super(VllmOpenAIChatModel, self)._astream(*args, **kwargs):
                    for taken in reply.take(chunk):
                        yield taken
            except (openai.OpenAIError, *MALFORMED) as error:
                await asyncio.to_thread(reply.fault, error)
            yield reply.last()

        async with aclosing(aretrying(attempt, self.attempts)) as chunks:
            async for chunk in chunks:
                yield chunk


class _Reply:
    """What has come of one answer, and what each fault means at this point."""

    def __init__(self, model: VllmOpenAIChatModel) -> None:
        key = model.openai_api_key
        self._key = key.get_secret_value() if isinstance(key, SecretStr) else ""
        self._name = model.model_name
        self._url = model.openai_api_base or ""
        self._patience = model.patience
        self._begun = False
        self._last: ChatGenerationChunk | None = None

    def take(self, chunk: ChatGenerationChunk) -> Iterator[ChatGenerationChunk]:
        """``chunk``, unless it ends the answer: the token counts still follow and belong to the last one."""
        self._begun = True
        reason = (chunk.generation_info or {}).get("finish_reason")
        if reason in BROKEN_REASONS:
            yield ChatGenerationChunk(message=AIMessageChunk(content=chunk.text))
            raise self._broken(f"the server stopped it ({reason})")
        if self._last is not None:
            self._last += chunk
        elif reason:
            self._last = chunk
        else:
            yield chunk

    def last(self) -> ChatGenerationChunk:
        """The chunk that ends the answer.

        Raises:
            IncompleteAnswer: the stream ended without ``finish_reason``.
        """
        if not self._begun:
            raise TryAgain(EngineUnavailable(f"{self._name} sent an empty answer.", SEE_LOG))
        if self._last is None:
            raise self._broken("the stream ended without its end mark")
        self._last.message.chunk_position = "last"  # type: ignore[attr-defined]
        return self._last

    def fault(self, error: Exception) -> None:
        """Raises what ``error`` means: it ends an answer that has begun, else it says why none came.

        An answer that has come to its ``finish_reason`` is whole, whatever becomes of the connection.
        """
        if self._last is not None:
            return
        if self._begun:
            raise self._broken(self._reason(error)) from error
        raise self._unanswered(error) from error

    def _broken(self, reason: str) -> IncompleteAnswer:
        hint = "Ask again; if it happens again, see the server's log."
        return IncompleteAnswer(f"The answer of {self._name} broke off: {reason}.", hint)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, openai.APITimeoutError):
            return f"nothing came for {self._patience:g} seconds"
        if isinstance(error, openai.APIConnectionError):
            return "the connection was lost"
        return self._words(error) or "a part of it could not be read"

    def _words(self, error: Exception) -> str:
        if not isinstance(error, openai.APIError):
            return ""
        return hidden(error_text(error.body or error.message), self._key)

    def _unanswered(self, error: Exception) -> Exception:
        words = self._words(error)
        if isinstance(error, openai.APIConnectionError):
            return self._no_connection(error)
        if TOO_LONG.search(words):
            return ContextTooLong(
                f"The question and its passages do not fit {self._name}: {words}",
                "Ask a shorter question in a new conversation, or serve it with a larger --max-model-len.",
            )
        if "out of memory" in words.lower():
            return OutOfMemory(
                f"{self._name} ran out of memory: {words}",
                "Serve it with a smaller --max-model-len, or a smaller model.",
            )
        if isinstance(error, openai.NotFoundError):
            return self._missing()
        if isinstance(error, openai.APIStatusError):
            answer = refused(self._url, error.status_code, words, self._key)
            passing = error.status_code in (408, 409, 429) or error.status_code >= 500
            return TryAgain(answer) if passing else answer
        if isinstance(error, openai.APIError):
            return TryAgain(EngineUnavailable(f"{self._name} failed: {words}", SEE_LOG))
        return no_api(self._url)

    def _no_connection(self, error: openai.APIConnectionError) -> Exception:
        causes = {type(cause).__name__ for cause in _chain(error)}
        where = shown(self._url)
        if "ConnectError" in causes:
            return EngineUnavailable(f"No server runs at {where}.", START_HINT)
        if "ConnectTimeout" in causes:
            return EngineUnavailable(f"The server at {where} does not answer.", START_HINT)
        if isinstance(error, openai.APITimeoutError):
            return EngineTimeout(
                f"{self._name} did not begin to answer within {self._patience:g} seconds.",
                "It may be busy with other questions: ask again, or raise timeout in llm.params.",
            )
        lost = EngineUnavailable(f"The server at {where} closed the connection.", SEE_LOG)
        return TryAgain(lost)

    def _missing(self) -> EngineError:
        try:
            return missing(self._name, list_models(self._url, self._key))
        except EngineError as error:
            return error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def build(name: str, url: str, settings: Settings) -> VllmOpenAIChatModel:
    """The chat model ``name`` of the server at ``url``, with the generation parameters of ``settings``."""
    params = settings.llm.params
    options = client_options(url)
    return VllmOpenAIChatModel(
        model=name,
        base_url=url,
        api_key=SecretStr(settings.vllm_api_key or "EMPTY"),
        temperature=params.temperature,
        max_tokens=params.max_tokens,
        top_p=params.top_p,
        timeout=openai.Timeout(params.timeout, connect=CONNECT_SECONDS),
        max_retries=0,  # retrying is ours: it knows whether the reader has seen something
        attempts=params.max_retries,
        patience=params.timeout,
        streaming=True,  # invoke() too, so that a reply without its end mark is noticed there as well
        stream_usage=True,
        stream_chunk_timeout=None,
        use_responses_api=False,
        openai_proxy="",
        # A connection kept open would belong to an event loop that may be gone by the next question.
        default_headers={"Connection": "close"},
        http_client=openai.DefaultHttpxClient(**options),
        http_async_client=openai.DefaultAsyncHttpxClient(**options),
    )
