"""What every request passes first: a number, a look at who it is, limits; and what every response carries.

It is plain ASGI and hands the messages on as they are, so that streams flow and hang-ups are noticed.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import login
from app.api.access import COOKIE, Keys, bearer, is_foreign_page, is_local
from app.api.doors import is_door, template_of
from app.api.generate import refusal
from app.api.rate import RateLimit
from app.api.replies import failure
from app.config import Settings
from app.errors import DoorClosed, HotswapError, KeyRefused, RateLimited, TooLarge
from app.logs import request_id
from app.service import current

log = logging.getLogger(__name__)

OPEN = ("/health/live",)
"""Never needs a key: whoever watches the process has none."""
_WATCHED = ("/health", "/metrics")  # asked again and again, and nobody wants to read of it
_CONTROL = "/control/"  # has a secret of its own
_MILLION = 1_000_000
_BODY = 8 * _MILLION  # bytes of a request that is no upload
_NUMBER = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",  # without any referrer a browser would call our own forms foreign
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
Answer = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """The outermost layer of the server. ``settings`` is called when the first request comes."""

    def __init__(self, app: ASGIApp, settings: Callable[[], Settings]) -> None:
        self._app = app
        self._settings = settings
        self._rules: _Rules | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI asks for it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        rules = self._rules = self._rules or _Rules(self._settings())
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        number = given if _NUMBER.fullmatch(given) else secrets.token_hex(8)
        token = request_id.set(number)
        try:
            if scope["type"] == "websocket":
                await self._websocket(rules, headers, scope, receive, send)
            else:
                await self._http(rules, headers, number, scope, receive, send)
        finally:
            request_id.reset(token)

    async def _websocket(self, rules: _Rules, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        if rules.admits_page(scope, headers):
            await self._app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(
        self, rules: _Rules, headers: Headers, number: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        path, status, began = scope["path"], 500, time.perf_counter()

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(message, number)
            await send(message)

        answer: Answer | None
        try:
            answer = await rules.answer_instead(scope, headers, receive)
        except HotswapError as error:
            current().metrics.failed(error)
            answer = _told(path, error)
        try:
            if answer is not None:
                await answer(scope, receive, dressed)
            else:
                await self._app(scope, _limited(receive, rules.largest(path)), dressed)
        finally:
            if is_door(path):
                _count(scope, status, time.perf_counter() - began)


class _Rules:
    """What the settings allow."""

    def __init__(self, settings: Settings) -> None:
        self.keys = Keys(settings.keys)
        self._rate = RateLimit(settings.rate_limit)
        self._upload = settings.max_upload_mb * _MILLION + _BODY

    def largest(self, path: str) -> int:
        """Bytes of a request's body."""
        return self._upload if path.startswith(("/api/documents", "/_stcore/")) else _BODY

    def admits_page(self, scope: Scope, headers: Headers) -> bool:
        """Whether the page may be seen: on this machine by everybody, from elsewhere with a key."""
        if is_local(scope, headers):
            return not is_foreign_page(headers) or _only_looks(scope)
        return self.keys.number_of_cookie(_cookie(headers)) is not None and not is_foreign_page(headers)

    async def answer_instead(self, scope: Scope, headers: Headers, receive: Receive) -> Answer | None:
        """Who answers in the product's place: a page that asks for the key. None where it may pass.

        Raises:
            DoorClosed, KeyRefused, RateLimited, TooLarge: it may not.
        """
        path = scope["path"]
        if path in OPEN or path.startswith(_CONTROL):
            return None
        self._check_size(path, headers)
        if is_door(path):
            self._check_door(scope, headers)
            return None
        if path == login.PATH:
            return login.page(Request(scope, receive), self.keys, self._rate)
        return None if self.admits_page(scope, headers) else login.door(Request(scope))

    def _check_door(self, scope: Scope, headers: Headers) -> None:
        if is_foreign_page(headers):
            raise DoorClosed("A page of another site asked for this.", "Ask from a program, or from our own page.")
        if not self.keys:
            if not is_local(scope, headers):
                raise DoorClosed(
                    "Without API_KEYS only this machine may connect, by the name localhost or 127.0.0.1.",
                    "Set API_KEYS and send one of them as bearer key.",
                )
            return
        number = self.keys.number(bearer(headers))
        if number is None:
            number = self.keys.number_of_cookie(_cookie(headers))
        if number is None:
            raise KeyRefused(
                "The key is wrong." if bearer(headers) else "There is no key.",
                "Send one of API_KEYS in the header Authorization: Bearer KEY.",
            )
        if seconds := self._rate.take(number):
            error = RateLimited("This key asks too often.", f"Ask again in {seconds} s, or raise RATE_LIMIT.")
            error.retry_after = seconds
            raise error

    def _check_size(self, path: str, headers: Headers) -> None:
        length = headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length) > self.largest(path):
            raise _too_large(self.largest(path))


def _only_looks(scope: Scope) -> bool:
    """Whether it changes nothing: anybody may link to the page."""
    return scope["type"] == "http" and scope["method"] in ("GET", "HEAD")


def _cookie(headers: Headers) -> str:
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _limited(receive: Receive, largest: int) -> Receive:
    """``receive`` for a body of ``largest`` bytes at most, whatever its header says."""
    read = 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        if message["type"] == "http.request":
            read += len(message.get("body", b""))
            if read > largest:
                raise HTTPException(413, str(_too_large(largest)))  # the one kind that frameworks let through
        return message

    return counted


def _too_large(largest: int) -> TooLarge:
    hint = "Send less at once, or raise MAX_UPLOAD_MB."
    return TooLarge(f"The request is larger than {largest // _MILLION} MB.", hint)


def _told(path: str, error: HotswapError) -> Response:
    response = failure(error)
    if path.startswith("/api/vllm/"):
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return type(response)(refusal(str(error)), response.status_code, headers)
    return response


def _dress(message: MutableMapping[str, Any], number: str) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers["X-Request-Id"] = number


def _count(scope: Scope, status: int, seconds: float) -> None:
    try:
        metrics = current().metrics
    except RuntimeError:  # the server is about to end
        return
    method = scope["method"] if scope["method"] in ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT") else "other"
    path = template_of(scope)
    metrics.requests.labels(path, method, str(status)).inc()
    level = logging.DEBUG if path.startswith(_WATCHED) else logging.INFO
    log.log(level, "%s %s: %d after %.0f ms", method, path, status, seconds * 1000)
