"""Having an Ollama server read a model into its memory, so that the first answer does not wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from app.engines.http import CONNECT_SECONDS, client_options
from app.engines.ollama_errors import no_ollama, still_loading, unreachable
from app.engines.ollama_models import refusal_of
from app.engines.ollama_waiting import LOAD_SECONDS, waiting
from app.engines.retry import TryAgain
from app.schema import OnProgress, Progress


def load(url: str, name: str, num_ctx: int, on_progress: OnProgress) -> None:
    """Loads the model ``name`` with a context window of ``num_ctx`` tokens; one that is loaded stays so.

    The window has to be that of the answers: with another one the server would load the model anew.

    Raises:
        EngineError: it cannot be loaded, or not within LOAD_SECONDS.
    """
    body = {"model": name, "messages": [], "options": {"num_ctx": num_ctx}}
    try:
        reply = asyncio.run(_asked(url, body, lambda: on_progress(Progress("loading", item=name))))
    except httpx.ReadTimeout as error:
        raise still_loading(name, LOAD_SECONDS) from error
    except httpx.HTTPError as error:
        raise unreachable(url, error) from error
    if reply.status_code != 200:
        reason = refusal_of(url, name, reply)
        raise reason.error if isinstance(reason, TryAgain) else reason
    try:
        loaded = reply.json()["done"]
    except (ValueError, TypeError, KeyError):
        loaded = False
    if loaded is not True:
        raise no_ollama(url)


async def _asked(url: str, body: dict[str, Any], meanwhile: Callable[[], None]) -> httpx.Response:
    timeout = httpx.Timeout(LOAD_SECONDS, connect=CONNECT_SECONDS)
    async with httpx.AsyncClient(base_url=url, timeout=timeout, **client_options(url)) as client:
        return await waiting(client.post("/api/chat", json=body), meanwhile)
