"""HTTP to model servers: short requests that cannot hang, and what clients need to know about an address."""

from __future__ import annotations

import ipaddress
import json
import re
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import lru_cache
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx

from app.errors import EngineUnavailable, one_line
from app.offline import guard

if TYPE_CHECKING:
    from app.config import Settings

CHECK_SECONDS = 1.5
"""How long a check waits for a server."""
CONNECT_SECONDS = 5.0
_LONGEST_REPLY = 8 * 1024 * 1024


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this very machine; a proxy never leads there."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def on_this_machine(url: str) -> bool:
    """Whether ``url`` leads to this machine."""
    try:
        return is_loopback(httpx.URL(url).host)
    except httpx.InvalidURL:
        return False


def check_offline(settings: Settings, url: str, setting: str) -> None:
    """Raises EngineUnavailable where OFFLINE is set and ``url``, of the setting ``setting``, is another machine's."""
    try:
        host = httpx.URL(url).host
    except httpx.InvalidURL:
        return  # no address at all, which client_options tells
    if settings.offline and not guard.is_here(host):
        hint = f"Unset OFFLINE, or set {setting} to a server on this machine."
        raise EngineUnavailable(guard.words(host), hint)


def shown(url: str) -> str:
    """``url`` as messages may show it: without user name and password."""
    front, at, back = url.rpartition("@")
    scheme, _, named = front.partition("//")
    if not at or (re.fullmatch(r"[^/@:]*(:\d+)?", named.partition("/")[0]) and "/" in named):
        return url  # the sign belongs to the path
    return f"{scheme}//{back}"  # a password may have any character in it, also where it may not


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    """One TLS context for all clients: building one takes longer than most requests."""
    return httpx.create_ssl_context()


def client_options(url: str) -> dict[str, Any]:
    """How a client that talks to ``url`` is built.

    Raises:
        EngineUnavailable: ``url`` is no address, or the environment names a proxy that cannot be used.
    """
    try:
        options: dict[str, Any] = {"trust_env": not is_loopback(httpx.URL(url).host), "verify": tls()}
        httpx.Client(**options).close()
    except httpx.InvalidURL as error:
        raise EngineUnavailable(f"{shown(url)} is no valid address: {error}", "Correct it in the settings.") from None
    except (ImportError, ValueError) as error:
        hint = "Correct ALL_PROXY, HTTP_PROXY or HTTPS_PROXY, or add the server's host to NO_PROXY."
        raise EngineUnavailable(f"The proxy on the way to {shown(url)} cannot be used: {error}", hint) from None
    return options


def fetch(
    method: str,
    url: str,
    *,
    seconds: float = CHECK_SECONDS,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
) -> httpx.Response:
    """One request, answered within ``seconds`` in all, name resolution and a dripping server included.

    Raises:
        httpx.HTTPError: not reachable, not in time, or not HTTP.
        EngineUnavailable: see client_options.
    """
    options = client_options(url)
    answer: Future[httpx.Response] = Future()
    until = time.monotonic() + seconds

    def work() -> None:
        try:
            with (
                httpx.Client(timeout=seconds, **options) as client,
                client.stream(method, url, headers=headers, json=body) as response,
            ):
                answer.set_result(_read(response, until))
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=work, daemon=True, name="engine-check").start()
    try:
        return answer.result(seconds)
    except FutureTimeout:
        raise httpx.ReadTimeout(f"no answer within {seconds:g} seconds") from None


def _read(response: httpx.Response, until: float) -> httpx.Response:
    """``response`` with its body. Raises httpx.HTTPError where that is not there in time, or never ends."""
    body = b""
    for piece in response.iter_bytes():
        body += piece
        if time.monotonic() > until or len(body) > _LONGEST_REPLY:
            raise httpx.ReadError("a reply without an end", request=response.request)
    encoded = ("content-encoding", "content-length", "transfer-encoding")
    headers = {name: value for name, value in response.headers.items() if name not in encoded}
    return httpx.Response(response.status_code, headers=headers, content=body, request=response.request)


def error_text(body: object) -> str:
    """The words of an error reply, one line: JSON is unwrapped, also nested in a string; a page says nothing."""
    found: Any = body
    for _ in range(8):
        if isinstance(found, str):
            try:
                inner = json.loads(found)
            except ValueError:
                break
            if not isinstance(inner, dict):
                break
            found = inner
        if not isinstance(found, dict):
            break
        found = next((found[key] for key in ("error", "message", "detail") if found.get(key)), "")
    words = one_line(found)[:300]
    return "" if words.startswith("<") else words
