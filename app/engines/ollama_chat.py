"""ChatOllama as the product needs it: the server's faults become our errors, no half answer passes for whole.

The requests are made here and not by the ``ollama`` package, because that neither sends ``truncate`` and
``shift`` nor notices a stream that ends without its end mark.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import aclosing, closing, suppress
from typing import Any

import httpx
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_ollama import ChatOllama

from app.config import Settings
from app.engines.http import CHECK_SECONDS, CONNECT_SECONDS, client_options, error_text
from app.engines.ollama_errors import HUNG_UP, SEE_LOG, no_ollama, runner_error, still_loading, unreachable
from app.engines.ollama_lines import alines, lines
from app.engines.ollama_models import full_name, refusal_of
from app.engines.ollama_waiting import LOAD_SECONDS
from app.engines.retry import TryAgain, aretrying, retrying
from app.errors import EngineTimeout, EngineUnavailable, IncompleteAnswer

logger = logging.getLogger(__name__)


_OPTIONS = {"temperature": "temperature", "top_p": "top_p", "max_tokens": "num_predict"}
"""What a call may wish for, in the words of all engines, and how Ollama calls it."""
_LACKING = ("ignore_eos", "return_token_ids")
"""What other engines can, and Ollama has no word for."""


class OllamaChatModel(ChatOllama):
    """One model of one Ollama server.

    ``timeout`` in seconds: to the first token of a loaded model, and between two tokens. ``max_retries``
    counts the retries before the first token.
    """

    timeout: float
    max_retries: int

    def _create_chat_stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, **kwargs: Any
    ) -> Iterator[Mapping[str, Any]]:
        body = self._body(messages, stop, kwargs)
        with closing(retrying(lambda: self._attempt(body), self.max_retries)) as parts:
            yield from parts

    async def _acreate_chat_stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, **kwargs: Any
    ) -> AsyncIterator[Mapping[str, Any]]:
        body = self._body(messages, stop, kwargs)
        async with aclosing(aretrying(lambda: self._aattempt(body), self.max_retries)) as parts:
            async for part in parts:
                yield part

    def _iterate_over_stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in super()._iterate_over_stream(messages, stop, **kwargs):
            yield _marked(chunk)

    async def _aiterate_over_stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in super()._aiterate_over_stream(messages, stop, **kwargs):
            yield _marked(chunk)

    def _body(self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]) -> dict[str, Any]:
        wished = {_OPTIONS[name]: kwargs.pop(name) for name in _OPTIONS.keys() & kwargs.keys()}
        rest = {name: value for name, value in kwargs.items() if name not in _LACKING}
        params = {**self._chat_params(messages, stop, **rest), "stream": True}
        params["options"] = {**params["options"], **wished}
        # Without these an overlong prompt loses its beginning in silence, and an overlong answer its prompt.
        params |= {"truncate": False, "shift": False}
        return {key: value for key, value in params.items() if value is not None}

    def _attempt(self, body: dict[str, Any]) -> Generator[Mapping[str, Any], None, None]:
        reply = _Reply(self, body)
        try:
            with httpx.Client(**self._client_options()) as client:
                with suppress(httpx.ReadTimeout):  # a busy server; it then gets the time of a cold one
                    reply.loaded(client.get("/api/ps"))
                request = client.build_request("POST", "/api/chat", json=body, timeout=reply.timeouts())
                with closing(client.send(request, stream=True)) as response:
                    if response.status_code != 200:
                        response.read()
                        raise reply.refusal(response)
                    request.extensions["timeout"]["read"] = self.timeout
                    for line in lines(response.iter_bytes()):
                        yield reply.part(line)
                        if reply.done:
                            return
                    reply.end()
        except httpx.HTTPError as error:
            raise reply.fault(error) from error

    async def _aattempt(self, body: dict[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
        reply = _Reply(self, body)
        try:
            async with httpx.AsyncClient(**self._client_options()) as client:
                with suppress(httpx.ReadTimeout):
                    reply.loaded(await client.get("/api/ps"))
                request = client.build_request("POST", "/api/chat", json=body, timeout=reply.timeouts())
                response = await client.send(request, stream=True)
                try:
                    if response.status_code != 200:
                        await response.aread()
                        raise await asyncio.to_thread(reply.refusal, response)
                    request.extensions["timeout"]["read"] = self.timeout
                    async with aclosing(alines(response.aiter_bytes())) as parts:
                        async for line in parts:
                            yield reply.part(line)
                            if reply.done:
                                return
                    reply.end()
                finally:
                    await response.aclose()
        except httpx.HTTPError as error:
            raise reply.fault(error) from error

    def _client_options(self) -> dict[str, Any]:
        # A client per request: a connection kept open would belong to an event loop that may be gone by then.
        url = self.base_url or ""
        timeout = httpx.Timeout(CHECK_SECONDS, connect=CONNECT_SECONDS)
        return {"base_url": url, "timeout": timeout, **client_options(url)}


class _Reply:
    """What has come of one answer, and what each fault means at this point."""

    def __init__(self, model: OllamaChatModel, body: dict[str, Any]) -> None:
        self._body = body
        self._name = str(body["model"])
        self._url = model.base_url or ""
        self._num_ctx = model.num_ctx
        self._timeout = model.timeout
        self._loaded = False
        self._begun = False
        self.done = False

    def loaded(self, ps: httpx.Response) -> None:
        """Reads from ``/api/ps`` whether the model is in memory; another context window loads it anew."""
        try:
            models = ps.json()["models"] if ps.status_code == 200 else ()
            match = next((item for item in models if item["name"] == full_name(self._name)), None)
        except (ValueError, TypeError, KeyError, AttributeError):
            match = None
        self._loaded = match is not None and match.get("context_length") in (None, self._num_ctx)
        if not self._loaded:
            logger.info("Ollama is loading %s; the first answer waits for it", self._name)

    def timeouts(self) -> httpx.Timeout:
        """Until the first token; a model that must be loaded gets its time for that."""
        patience = self._timeout if self._loaded else max(self._timeout, LOAD_SECONDS)
        return httpx.Timeout(patience, connect=CONNECT_SECONDS)

    def part(self, line: bytes) -> Mapping[str, Any]:
        """One line of the stream, read; the last one sets ``done``.

        Raises:
            EngineError: the line reports an error, or is none.
        """
        try:
            part = json.loads(line)
            error, message = part.get("error"), part.get("message") or {}
            text = message.get("content") or ""
        except (ValueError, AttributeError):
            part, error, text = None, None, None
        if error:
            raise self._broken(error_text(part)) if self._begun else runner_error(self._name, error_text(part))
        if not isinstance(text, str):
            raise self._broken("a line of it could not be read") if self._begun else no_ollama(self._url)
        self.done = part.get("done") is True
        if self.done and part.get("done_reason") in ("load", "unload"):
            raise self._broken("the server unloaded the model") if self._begun else self._no_words()
        self._begun = True
        return {**part, "message": {**message, "content": text}}

    def end(self) -> None:
        """Called where the stream ends without its end mark, ``"done": true``: what came is not whole."""
        raise self._broken("the stream ended without its end mark") if self._begun else self._no_words()

    def _no_words(self) -> TryAgain:
        return TryAgain(EngineUnavailable(f"Ollama sent an empty answer of {self._name}.", SEE_LOG))

    def _broken(self, reason: str) -> IncompleteAnswer:
        hint = "Ask again; if it happens again, see Ollama's log."
        return IncompleteAnswer(f"The answer of {self._name} broke off: {reason}.", hint)

    def refusal(self, response: httpx.Response) -> Exception:
        """What an HTTP error means."""
        if response.status_code == 400 and "does not support thinking" in response.text and "think" in self._body:
            del self._body["think"]  # such a server minds even being told not to
            return TryAgain(EngineUnavailable(f"{self._name} does not think."), corrected=True)
        return refusal_of(self._url, self._name, response)

    def fault(self, error: httpx.HTTPError) -> Exception:
        """What a transport error means: it ends an answer that has begun, else it says why none came."""
        if self._begun:
            if isinstance(error, httpx.TimeoutException):
                return self._broken(f"nothing came for {self._timeout:g} seconds")
            return self._broken("the connection was lost")
        if isinstance(error, httpx.ReadTimeout):
            return self._too_slow()
        if isinstance(error, HUNG_UP):
            return TryAgain(unreachable(self._url, error))
        return unreachable(self._url, error)

    def _too_slow(self) -> EngineTimeout:
        if self._loaded:
            return EngineTimeout(
                f"{self._name} did not begin to answer within {self._timeout:g} seconds.",
                "It may be busy or slow here: raise timeout in llm.params, or use a smaller model.",
            )
        return still_loading(self._name, max(self._timeout, LOAD_SECONDS))


def _marked(chunk: ChatGenerationChunk) -> ChatGenerationChunk:
    """``chunk``; the last one says so, and how the answer ended, in the words of all engines."""
    info = chunk.generation_info or {}
    if info.get("done") is True and isinstance(chunk.message, AIMessageChunk):
        reason = "length" if info.get("done_reason") == "length" else "stop"
        chunk.generation_info = {**info, "finish_reason": reason}
        chunk.message.chunk_position = "last"
    return chunk


def build(name: str, num_ctx: int, settings: Settings) -> OllamaChatModel:
    """The chat model ``name`` of the server and with the generation parameters of ``settings``.

    ``num_ctx``: tokens that the prompt and the answer may have together.
    """
    params = settings.llm.params
    return OllamaChatModel(
        model=name,
        base_url=settings.ollama_base_url,
        num_ctx=num_ctx,
        num_predict=params.max_tokens,
        temperature=params.temperature,
        top_p=params.top_p,
        reasoning=False,  # thinking would use up max_tokens before the first word that the reader sees
        client_kwargs=client_options(settings.ollama_base_url),  # for clients that ChatOllama builds and we leave
        timeout=params.timeout,
        max_retries=params.max_retries,
    )
