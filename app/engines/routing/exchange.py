"""One request to one route: its stream read event by event, under deadlines, every fault named."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from app.engines.http import shown
from app.engines.routing.faults import NETWORK, Fault, Faults
from app.engines.routing.routes import Route
from app.engines.routing.served import address
from app.engines.routing.session import headers, proxy, session
from app.engines.routing.sse import EventReader

log = logging.getLogger(__name__)

BROKEN_REASONS = frozenset({"abort", "error"})
"""What vLLM gives as ``finish_reason`` where it stopped an answer itself."""
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
AFTERWARDS = 2.0
"""Seconds that the token counts may take after an answer's last word; it is whole without them."""
_LONGEST_REPLY = 16 * 1024 * 1024
_DONE = b"[DONE]"


@dataclass(frozen=True)
class Part:
    """What one event of a stream brings; ``ids`` are the tokens of its text, where the server tells them.

    The last part has the ``reason`` for the end, and ``usage`` (tokens of the prompt, of the answer).
    """

    text: str = ""
    reason: str | None = None
    ids: tuple[int, ...] | None = None
    prompt_ids: tuple[int, ...] | None = None
    usage: tuple[int, int] | None = None
    calls: tuple[Mapping[str, Any], ...] = ()
    thinks: bool = False

    @property
    def says_something(self) -> bool:
        """Whether the model is at work; a role alone says nothing."""
        return bool(self.text or self.ids or self.calls or self.thinks or self.reason)


@dataclass
class Patience:
    """Seconds: to connect, to the first token, between two; ``end`` is a time of the loop, the end of it all.

    ``short``: there is somebody else to ask, and without them there would be more of it.
    """

    connect: float
    first: float
    stall: float
    end: float | None = None
    short: bool = False


async def exchange(
    route: Route, model: str, path: str, body: Mapping[str, Any], patience: Patience
) -> AsyncGenerator[Part]:
    """The parts of the answer to ``body``, posted to ``path`` below the route's address; the last has a ``reason``.

    Raises:
        Fault: it did not come, or not to its end.
    """
    faults = Faults(route, model)
    if route.refusal:
        raise faults.offline(route.refusal)
    try:
        data = json.dumps(body).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise faults.unsendable(error) from error
    reading = _Reading(faults, patience)
    response: aiohttp.ClientResponse | None = None
    try:
        try:
            response = await reading.within(_send(route, path, data, patience.connect))
        except ValueError as error:  # of the address
            raise faults.connection(error) from error
        if response.status != 200:
            if response.content_type == "text/html" and response.status in (400, 413, 422):
                raise faults.other_kind()  # a gateway's page, which says nothing about the question
            text = (await _body(reading, response)).decode(errors="replace")
            raise faults.status(response.status, text, response.headers.get("Retry-After"))
        if response.content_type == "text/html":
            raise faults.other_kind()
        read = _whole if response.content_type == "application/json" else _events
        async with aclosing(read(reading, response)) as parts:
            async for part in parts:
                yield part
    except NETWORK as error:
        raise faults.connection(error) from error
    except Fault:
        raise
    except Exception as error:
        if session().closed:  # Python ends
            raise faults.closing() from None
        log.exception("asking %s failed", shown(route.url))
        raise faults.unexpected(error) from error  # another route may answer all the same
    finally:
        if response is not None:
            response.close()  # one that was read to its end has given its connection back already


async def _send(route: Route, path: str, data: bytes, connect: float) -> aiohttp.ClientResponse:
    """Asked a second time where a connection kept from before proves to be closed by the server."""
    while True:
        notes: dict[str, bool] = {}
        try:
            return await session().post(
                f"{address(route)}/{path}",
                data=data,
                headers={"Content-Type": "application/json", **headers(route)},
                proxy=proxy(route),
                timeout=aiohttp.ClientTimeout(total=None, connect=connect),
                allow_redirects=False,
                trace_request_ctx=notes,
            )
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not notes.get("kept") or isinstance(error, aiohttp.ClientConnectorError):
                raise


class _Reading:
    """How far a reply has come, and how long it is still waited for."""

    def __init__(self, faults: Faults, patience: Patience) -> None:
        self.faults = faults
        self._patience = patience
        self._clock = asyncio.get_running_loop().time
        self._begun = False
        self._moved = self._clock()
        self._half = ""
        self.reason: str | None = None
        self.usage: tuple[int, int] | None = None

    async def within(self, work: Any) -> Any:
        """``work``'s result, unless it takes too long for where the reply is. Raises Fault."""
        seconds = self._patience.stall if self._begun else self._patience.first
        if self.reason is not None:
            seconds = min(seconds, AFTERWARDS)
        limit = self._moved + seconds
        end = self._patience.end
        try:
            async with asyncio.timeout_at(limit if end is None else min(limit, end)) as timer:
                return await work
        except TimeoutError:
            if not timer.expired():
                raise
            if end is not None and end <= limit:
                raise self.faults.over() from None
            told = self.faults.stalled if self._begun else self.faults.late
            raise told(seconds, again=self._patience.short) from None

    def joined(self, part: Part) -> Part:
        """``part`` with whole characters: servers that cut UTF-16 send the halves of one apart."""
        text = self._half + part.text
        try:
            text.encode()
            return part
        except UnicodeEncodeError:  # there are halves
            last = text[-1] if "\ud800" <= text[-1] <= "\udbff" and part.reason is None else ""
            self._half, text = last, text.removesuffix(last)
            return replace(part, text=text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))

    def take(self, part: Part) -> None:
        """Note what ``part`` says about the reply."""
        if part.says_something:
            self._begun, self._moved = True, self._clock()
        self.usage = part.usage or self.usage
        if part.reason in BROKEN_REASONS:
            raise self.faults.stopped(part.reason)
        self.reason = self.reason or part.reason

    def last(self) -> Part:
        """The part that ends a whole answer. Raises Fault where it has no end mark."""
        if self.reason is None:
            raise self.faults.no_end(self._begun)
        return Part(reason=self.reason, usage=self.usage)


async def _events(reading: _Reading, response: aiohttp.ClientResponse) -> AsyncGenerator[Part]:
    reader = EventReader()
    try:
        while True:
            piece: bytes = await reading.within(response.content.readany())
            try:
                events = list(reader.feed(piece) if piece else reader.end())
            except ValueError:
                raise reading.faults.unreadable() from None
            for data in events:
                if data == _DONE:
                    await _rest(response)
                    piece = b""
                    break
                part = reading.joined(_part(data, reading.faults))
                try:
                    reading.take(part)
                except Fault:
                    if part.text:  # what came with the bad news has come all the same
                        yield Part(part.text, ids=part.ids)
                    raise
                if part.says_something or part.prompt_ids:
                    yield Part(part.text, None, part.ids, part.prompt_ids, None, part.calls, part.thinks)
            if not piece:
                break
    except (Fault, *NETWORK):
        if reading.reason is None:  # else it is whole, whatever becomes of the connection
            raise
    yield reading.last()


async def _rest(response: aiohttp.ClientResponse) -> None:
    """Reads to the end of the reply, so that its connection can be kept for the next question."""
    with suppress(TimeoutError, *NETWORK):
        async with asyncio.timeout(0.05):
            while await response.content.readany():
                pass


async def _whole(reading: _Reading, response: aiohttp.ClientResponse) -> AsyncGenerator[Part]:
    """A server that does not stream gives everything at once."""
    part = reading.joined(_part(await _body(reading, response), reading.faults))
    if not part.text and part.reason is None:
        raise reading.faults.other_kind()
    reading.take(part)
    yield Part(part.text, None, part.ids, part.prompt_ids, None, part.calls)
    yield reading.last()


async def _body(reading: _Reading, response: aiohttp.ClientResponse) -> bytes:
    body = b""
    while piece := await reading.within(response.content.readany()):
        body += piece
        if len(body) > _LONGEST_REPLY:
            raise reading.faults.unreadable()
    return body


def _part(data: bytes, faults: Faults) -> Part:
    """One event, read. Raises Fault where it reports an error or has another shape."""
    try:
        event = json.loads(data.decode())  # json guesses the encoding of bytes, and takes its time for it
        if event.get("error") or event.get("object") == "error":
            raise faults.in_band(event)
        usage = event.get("usage")
        counts = (int(usage["prompt_tokens"]), int(usage["completion_tokens"])) if usage else None
        choice = next((choice for choice in event["choices"] if choice.get("index", 0) == 0), None)
        return Part(usage=counts) if choice is None else _said(event, choice, counts)
    except MALFORMED:
        raise faults.unreadable() from None


def _said(event: Mapping[str, Any], choice: Mapping[str, Any], usage: tuple[int, int] | None) -> Part:
    message = choice.get("delta") or choice.get("message") or {}
    text = _text(choice.get("text") or message.get("content")) or ""
    return Part(
        text,
        _text(choice.get("finish_reason")) or None,
        _ids(choice.get("token_ids")),
        _ids(choice.get("prompt_token_ids") or event.get("prompt_token_ids")),
        usage,
        tuple(map(_call, message.get("tool_calls") or ())),
        bool(message.get("reasoning_content") or message.get("reasoning")),
    )


def _call(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A piece of a call of a tool. Raises TypeError where it has another shape."""
    function = given.get("function") or {}
    arguments = function.get("arguments")
    arguments = json.dumps(arguments) if isinstance(arguments, dict) else _text(arguments)
    index = given.get("index")
    return {
        "id": _text(given.get("id")),
        "index": index if index is None else int(index),
        "function": {"name": _text(function.get("name")), "arguments": arguments},
    }


def _text(given: object) -> str | None:
    if given is not None and not isinstance(given, str):
        raise TypeError(given)
    return given


def _ids(given: object) -> tuple[int, ...] | None:
    return tuple(map(int, given)) if isinstance(given, list) else None
