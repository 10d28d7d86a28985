"""The one HTTP client of all routes. It belongs to the engines' event loop and ends with the process."""

from __future__ import annotations

import asyncio
import atexit
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from app.engines.http import is_loopback, tls
from app.engines.loop import engine_loop
from app.engines.routing.routes import Route

IDLE_SECONDS = 4.0
"""How long a connection is kept for the next question: vLLM's server closes one after five."""

_sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}  # a forked process has a loop of its own


def session() -> aiohttp.ClientSession:
    """Called on the engines' loop."""
    loop = asyncio.get_running_loop()
    if loop not in _sessions:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS, ssl=tls())
        # Deadlines are the router's, which knows whether somebody else could answer.
        _sessions[loop] = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            read_bufsize=2**18,
            trace_configs=[_traces()],
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        atexit.register(_close, loop)
    return _sessions[loop]


def _traces() -> aiohttp.TraceConfig:
    """Notes on a request whether its connection had been kept: one that breaks at once may be closed for long."""

    async def reused(session: aiohttp.ClientSession, context: Any, params: Any) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx["kept"] = True

    traces = aiohttp.TraceConfig()
    traces.on_connection_reuseconn.append(reused)
    return traces


def _close(loop: asyncio.AbstractEventLoop) -> None:
    if loop is engine_loop():
        with suppress(Exception):  # the process ends
            asyncio.run_coroutine_threadsafe(_sessions[loop].close(), loop).result(1.0)


def headers(route: Route) -> dict[str, str]:
    """What every request to ``route`` carries; where nothing is known of a key, servers get one that they ignore."""
    if not route.key and urlsplit(route.url).username:
        return {}  # the address has the credentials
    return {"Authorization": f"Bearer {route.key or 'EMPTY'}"}


def proxy(route: Route) -> str | None:
    """The proxy on the way to ``route`` by the environment; none leads to this machine."""
    parts = urlsplit(route.url)
    if is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{found}" if found and "://" not in found else found
