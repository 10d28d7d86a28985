"""What can go wrong on one route: whose fault it is, and how it is told."""

from __future__ import annotations

import asyncio
import json
import math
import re
import ssl
import time
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

import aiohttp

from app.engines.http import error_text, shown
from app.engines.routing.routes import Route
from app.engines.routing.served import (
    SEE_LOG,
    credentials,
    hidden,
    no_address,
    no_api,
    no_server,
    not_trusted,
    refused,
    start_hint,
    tls_failure,
)
from app.errors import ContextTooLong, EngineError, EngineTimeout, EngineUnavailable, OutOfMemory

TOO_LONG = re.compile(r"context (?:length|window|size)|maximum model length|max_model_len", re.IGNORECASE)
LONGEST_WAIT = 30.0
"""Seconds that a busy server can ask for; it may mean more, and is tried all the same."""


class Blame(Enum):
    """Whose fault it is."""

    ROUTE = "failed"  # it counts against the route
    BUSY = "busy"  # it has too much to do: others are asked for a while
    SETUP = "misconfigured"  # it will not answer before somebody corrects a setting
    ASKER = "refused"  # every route would say the same


class Fault(Exception):
    """One try on one route that did not end well.

    ``error`` tells it where nothing has been said yet, ``reason`` where an answer broke off. ``again``: the same
    route may do better at once. ``wait``: seconds that a busy route asked for. ``status``: of HTTP, if it came to it.
    ``midway``: the answer had begun.
    """

    midway = False

    def __init__(
        self,
        blame: Blame,
        error: EngineError,
        reason: str,
        *,
        again: bool = False,
        wait: float | None = None,
        status: int = 0,
    ) -> None:
        super().__init__(reason)
        self.blame, self.error, self.reason = blame, error, reason
        self.again, self.wait, self.status = again, wait, status


class Faults:
    """Makes the faults of one route, which is asked for ``model``."""

    def __init__(self, route: Route, model: str) -> None:
        self._route = route
        self._model = model or "the model"
        self._where = shown(route.url)

    def connection(self, error: Exception) -> Fault:
        """What the HTTP client raised."""
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return self._failed(self._silent(), "the server does not answer")
        if isinstance(error, aiohttp.ClientProxyConnectionError):
            hint = "Correct ALL_PROXY, HTTP_PROXY or HTTPS_PROXY, or add the server's host to NO_PROXY."
            problem = EngineUnavailable(f"The proxy on the way to {self._where} does not answer.", hint)
            return self._failed(problem, "the proxy does not answer")
        if isinstance(error, aiohttp.ClientSSLError):
            problem = not_trusted(self._route, tls_failure(error) or ssl.SSLError("no TLS"))
            return Fault(Blame.SETUP, problem, "there is no secure connection to it")
        if isinstance(error, aiohttp.ClientConnectorError):
            return self._failed(no_server(self._route), "no server runs there")
        if isinstance(error, ValueError):  # of the address, by whoever looked at it: InvalidURL, UnicodeError, …
            return Fault(Blame.SETUP, no_address(self._route), "its address is not valid")
        if isinstance(error, aiohttp.ClientResponseError):
            return self._failed(no_api(self._route), "a part of it could not be read")
        lost = EngineUnavailable(f"The server at {self._where} closed the connection.", SEE_LOG)
        return self._failed(lost, "the connection was lost", again=True)

    def late(self, seconds: float, *, again: bool) -> Fault:
        """No first token within ``seconds``; ``again`` where more patience may help."""
        error = EngineTimeout(
            f"{self._model} did not begin to answer within {seconds:.3g} seconds.",
            "It may be busy with other questions: ask again, or raise timeout in llm.params.",
        )
        return self._failed(error, f"it did not begin to answer within {seconds:.3g} seconds", again=again)

    def stalled(self, seconds: float, *, again: bool) -> Fault:
        """Nothing after the last token, for ``seconds``; ``again`` as in :meth:`late`."""
        reason = f"nothing came for {seconds:.3g} seconds"
        error = EngineTimeout(f"{self._model} stopped in its answer: {reason}.", SEE_LOG)
        return self._failed(error, reason, again=again)

    def over(self) -> Fault:
        """The time for the whole answer, ``llm.deadlines.total``, is up: no route's fault."""
        reason = "the time for a whole answer was over"
        error = EngineTimeout(f"{self._model} did not answer in time: {reason}.", "Raise total in llm.deadlines.")
        return Fault(Blame.ASKER, error, reason)

    def status(self, code: int, text: str, retry_after: str | None) -> Fault:
        """An HTTP error, by its ``code`` and body."""
        words = error_text(self._hidden(text))  # hidden first: a key cut in two would not be found
        reason = f"the server answered {code}{f': {words}' if words else ''}"
        if (code == 400 or code in (413, 422)) and TOO_LONG.search(words):
            return Fault(Blame.ASKER, self._too_long(words), reason, status=code)
        error: EngineError = refused(self._route, code, words)
        if "out of memory" in words.lower():
            error = self._no_memory(words)
        if code in (400, 413, 422):
            return Fault(Blame.ASKER, error, reason, status=code)
        if code in (429, 503):
            return Fault(Blame.BUSY, error, reason, again=True, wait=seconds_of(retry_after), status=code)
        if code in (408, 409, 425) or code >= 500:
            return self._failed(error, reason, again=True, status=code)
        return Fault(Blame.SETUP, error, reason, status=code)

    def in_band(self, data: Any) -> Fault:
        """An error event within a stream that began with 200."""
        words = error_text(self._hidden(json.dumps(data, ensure_ascii=False)))
        code = _code(data)
        if TOO_LONG.search(words) or code in (400, 413, 422):
            error: EngineError = EngineUnavailable(f"{self._model} refused the question: {words}", SEE_LOG)
            return Fault(Blame.ASKER, self._too_long(words) if TOO_LONG.search(words) else error, words)
        if code in (429, 503):
            error = EngineUnavailable(f"{self._model} is busy: {words}", SEE_LOG)
            return Fault(Blame.BUSY, error, words or "the server is busy", again=True)
        error = EngineUnavailable(f"{self._model} failed: {words or 'no reason given'}", SEE_LOG)
        if "out of memory" in words.lower():
            error = self._no_memory(words)
        return self._failed(error, words or "the server failed", again=True)

    def stopped(self, reason: str) -> Fault:
        """The server ended the answer itself, with a ``finish_reason`` that says so."""
        error = EngineUnavailable(f"{self._model} stopped before its first word ({reason}).", SEE_LOG)
        return self._failed(error, f"the server stopped it ({reason})", again=True)

    def no_end(self, begun: bool) -> Fault:
        """The stream ended without ``finish_reason``."""
        error = EngineUnavailable(f"{self._model} sent an empty answer.", SEE_LOG)
        return self._failed(error, "the stream ended without its end mark" if begun else "it was empty", again=True)

    def unreadable(self) -> Fault:
        """An event that is no JSON, no UTF-8 or of another shape."""
        return self._failed(no_api(self._route), "a part of it could not be read")

    def other_kind(self) -> Fault:
        """A reply that is no stream of an OpenAI-compatible server."""
        return Fault(Blame.SETUP, no_api(self._route), "what answers there is no OpenAI-compatible server")

    def cannot_continue(self) -> Fault:
        """The route wrote something else than what the reader has seen already."""
        return Fault(Blame.ASKER, self._silent(), "no other route could go on where it stopped")

    def offline(self, error: EngineError) -> Fault:
        """OFFLINE is set, and the route leads elsewhere."""
        return Fault(Blame.SETUP, error, "OFFLINE is set, and it is on another machine")

    def slow(self) -> Fault:
        """It kept a reader waiting far longer than it usually does."""
        return self._failed(self._silent(), "it was far slower than usual")

    def unsendable(self, error: Exception) -> Fault:
        """What was asked cannot be put into JSON."""
        problem = EngineUnavailable(f"The question cannot be sent: {error}", "Correct the options of the call.")
        return Fault(Blame.ASKER, problem, "the question cannot be sent")

    def unexpected(self, error: Exception) -> Fault:
        """Something that nobody thought of."""
        problem = EngineUnavailable(f"Asking {self._where} failed: {type(error).__name__}.", "The log has the details.")
        return self._failed(problem, f"{type(error).__name__} when it was asked")

    def closing(self) -> Fault:
        """Python is ending."""
        error = EngineUnavailable("Hotswap is shutting down.", "Start it again.")
        return Fault(Blame.ASKER, error, "Hotswap is shutting down")

    def _hidden(self, text: str) -> str:
        return hidden(text, self._route.key, *credentials(self._route))

    def _failed(self, error: EngineError, reason: str, *, again: bool = False, status: int = 0) -> Fault:
        return Fault(Blame.ROUTE, error, reason, again=again, status=status)

    def _silent(self) -> EngineUnavailable:
        return EngineUnavailable(f"The server at {self._where} does not answer.", start_hint(self._route))

    def _too_long(self, words: str) -> ContextTooLong:
        return ContextTooLong(
            f"The question and its passages do not fit {self._model}: {words}",
            "Ask a shorter question in a new conversation, or serve it with a larger --max-model-len.",
        )

    def _no_memory(self, words: str) -> OutOfMemory:
        return OutOfMemory(
            f"{self._model} ran out of memory: {words}", "Serve it with a smaller --max-model-len, or a smaller model."
        )


def _code(data: Any) -> int:
    """The status in an error event; servers put it in different places, some as text. 0 where there is none."""
    inner = data.get("error") if isinstance(data, dict) else None
    found = (inner.get("code") if isinstance(inner, dict) else None) or data.get("code") or data.get("status")
    try:
        return int(found or 0)
    except (TypeError, ValueError):
        return 0


def seconds_of(retry_after: str | None) -> float | None:
    """The header Retry-After (RFC 9110, 10.2.3), seconds or a date, in seconds from now; of nonsense None."""
    try:
        given = float(retry_after or "")
    except ValueError:
        try:
            given = parsedate_to_datetime(retry_after or "").timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return None if math.isnan(given) else min(max(given, 0.0), LONGEST_WAIT)


NETWORK = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
"""What the HTTP client raises."""
