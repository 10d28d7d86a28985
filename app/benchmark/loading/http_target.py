"""A server with OpenAI's API as a target: a client of its own that does as little as possible for each token.

It asks nothing twice, knows no other route and waits for nobody: what a server does is to be seen as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from app.benchmark.prompts import Length, Prompt
from app.benchmark.target import Hearing, TargetFault
from app.engines.http import error_text, shown, tls
from app.engines.routing.faults import NETWORK
from app.engines.routing.routes import Route
from app.engines.routing.served import address, credentials, hidden
from app.engines.routing.session import IDLE_SECONDS, headers, proxy
from app.engines.routing.sse import EventReader

CHAT, COMPLETIONS = "chat/completions", "completions"
_DONE = b"[DONE]"
_AT_WILL = ("ignore_eos", "stream_options")
"""Options that not every server knows; one that refuses a request because of one is asked without."""
_BROKEN_REASONS = ("abort", "error")
_MALFORMED = (ValueError, LookupError, TypeError, AttributeError)
_LONGEST_ERROR = 64 * 1024


class HttpTarget:
    """``route`` is the server; ``path`` is CHAT or COMPLETIONS (which has no chat template).

    ``check_tokens`` asks vLLM for the ids of all tokens, so that a lost one is noticed. ``extra`` goes into every
    request.
    """

    def __init__(
        self,
        route: Route,
        model: str,
        *,
        path: str = CHAT,
        check_tokens: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = shown(route.url)
        self.model = model
        self._minded: set[str] = set()
        self._route = route
        self._url = f"{address(route)}/{path}"
        self._proxy = proxy(route)
        self._headers = {"Content-Type": "application/json", **headers(route)}
        self._chat = path == CHAT
        self._extra = {
            "temperature": 0.0,
            "stream": True,
            "stream_options": {"include_usage": True},
            **({"return_token_ids": True} if check_tokens else {}),
            **(extra or {}),
        }
        self._session: aiohttp.ClientSession | None = None

    @property
    def has_fixed_length(self) -> bool:
        """Whether the server takes ``ignore_eos``, as far as is known."""
        return "ignore_eos" not in self._minded

    async def answer(self, prompt: Prompt, length: Length, hearing: Hearing) -> None:
        """See Target."""
        while True:
            body = self._body(prompt, length)
            try:
                return await self._ask(body, hearing)
            except TargetFault as fault:
                # By what this request had: others that are under way may have found it out meanwhile.
                minded = [option for option in _AT_WILL if option in body and _minds(fault, option)]
                if not minded:
                    raise
                self._minded.update(minded)

    async def _ask(self, body: Mapping[str, Any], hearing: Hearing) -> None:
        data = json.dumps(body).encode()
        try:
            async with self._open().post(self._url, data=data, headers=self._headers, proxy=self._proxy) as response:
                if response.status != 200:
                    raise await self._refusal(response)
                if response.content_type == "text/html":
                    raise TargetFault("unreadable", "The reply is a web page, and no answer of OpenAI's API.")
                if response.content_type == "application/json":
                    await _whole(response, hearing)
                else:
                    await _stream(response, hearing)
        except aiohttp.ClientResponseError as error:
            raise TargetFault("unreadable", "The reply is no HTTP.") from error
        except NETWORK as error:
            raise _connection(error, begun=bool(hearing.times)) from error
        except ValueError as error:  # of the address, or no HTTP
            raise TargetFault("unreadable", f"The reply is no HTTP: {error}.") from error

    async def close(self) -> None:
        """See Target."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS, ssl=tls()),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the run is patient, or not
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=2**18,
            )
        return self._session

    def _body(self, prompt: Prompt, length: Length) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.model, **self._extra, "max_tokens": length.max_tokens}
        if self._chat:
            body["messages"] = list(prompt.messages)
        else:
            body["prompt"] = "\n\n".join(message["content"] for message in prompt.messages)
        if length.fixed:
            body["ignore_eos"] = True
        return {name: value for name, value in body.items() if name not in self._minded} if self._minded else body

    async def _refusal(self, response: aiohttp.ClientResponse) -> TargetFault:
        text = (await response.content.read(_LONGEST_ERROR)).decode(errors="replace")
        text = hidden(text, self._route.key, *credentials(self._route))
        words = error_text(text) or response.reason or "no reason given"
        return TargetFault(f"http_{response.status}", f"HTTP {response.status}: {words}")


def _minds(fault: TargetFault, option: str) -> bool:
    """Whether a request was refused because of ``option``."""
    return fault.kind in ("http_400", "http_422") and option in str(fault)


async def _stream(response: aiohttp.ClientResponse, hearing: Hearing) -> None:
    reader = EventReader()
    async for piece in response.content.iter_any():
        for data in reader.feed(piece):
            if data == _DONE:
                return _ended(hearing)
            _take(data, hearing)
    for data in reader.end():  # servers forget the empty line; half of an event says nothing, as in a browser
        if data != _DONE and _is_json(data):
            _take(data, hearing)
    # Without [DONE] it is whole where it said how it ended: some servers leave the mark out.
    return _ended(hearing)


def _ended(hearing: Hearing) -> None:
    if hearing.finish_reason is None:
        begun = bool(hearing.times)
        raise TargetFault("cut" if begun else "empty", "The stream ended without saying how the answer ended.")
    if hearing.finish_reason in _BROKEN_REASONS:
        raise TargetFault("cut", f"The server stopped the answer ({hearing.finish_reason}).")


def _take(data: bytes, hearing: Hearing) -> None:
    """One event. Raises TargetFault where it reports an error, or is none."""
    try:
        event = json.loads(data.decode())
        if event.get("error") or event.get("object") == "error":
            raise TargetFault("error", error_text(event) or "The server reported an error.")
        choices = event.get("choices")
        if choices:
            _say(choices[0], hearing)
        usage = event.get("usage")
        if usage and None not in (counts := (usage.get("prompt_tokens"), usage.get("completion_tokens"))):
            hearing.usage(*map(int, counts))
    except _MALFORMED as error:
        if not data.strip():
            return  # a sign of life
        raise TargetFault("unreadable", "A part of the stream is no event of OpenAI's API.") from error


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _say(choice: Mapping[str, Any], hearing: Hearing) -> None:
    said = choice.get("delta")
    if said is None:  # some servers end with the whole message beside an empty delta
        said = choice.get("message") or choice
    text = said.get("content") or said.get("text") or ""
    if not isinstance(text, str):
        raise TypeError("parts of text")
    ids = choice.get("token_ids")
    if text or ids:
        hearing.piece(text, None if ids is None else len(ids))
    elif said.get("reasoning_content") or said.get("reasoning"):
        hearing.thought()
    reason = choice.get("finish_reason")
    if reason:
        hearing.finish_reason = reason


async def _whole(response: aiohttp.ClientResponse, hearing: Hearing) -> None:
    """A server that does not stream: all of it is one piece."""
    _take(await response.read(), hearing)
    if hearing.finish_reason is None:
        raise TargetFault("unreadable", "The reply is no answer of OpenAI's API.")
    _ended(hearing)


def _connection(error: Exception, *, begun: bool) -> TargetFault:
    words = str(error).strip() or type(error).__name__
    if begun:
        return TargetFault("cut", f"The connection broke off: {words.partition(':')[0]}.")
    if isinstance(error, aiohttp.ClientConnectorError):
        return TargetFault("unreachable", "No connection to the server.")
    return TargetFault("dropped", "The server closed the connection before the first token.")
