"""Having an Ollama server fetch a model."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import aclosing
from typing import Any

import httpx

from app.engines.http import CONNECT_SECONDS, client_options, error_text
from app.engines.ollama_errors import no_model_name, no_ollama, pull_broke_off, pull_error, refused, unreachable
from app.engines.ollama_lines import alines
from app.engines.ollama_waiting import waiting
from app.schema import OnProgress, Progress

SILENT_SECONDS = 600.0
"""Between two lines: checking what was fetched takes minutes, without a word."""
_NAME = re.compile(r"\w[\w.-]*(:\d+(?=/))?(/\w[\w.-]*)*(:\w[\w.-]*)?", re.ASCII)
_LONGEST_NAME = 400


def pull(url: str, model: str, on_progress: OnProgress) -> None:
    """Has the server at ``url`` fetch ``model``; what it has of it already is not fetched again.

    ``on_progress`` is told the bytes of all layers known so far, at least four times a second. When it raises,
    the request is closed, which stops the server too.

    Raises:
        UsageError: ``model`` is no name of a model.
        ModelMissing: there is no such model.
        EngineUnavailable: the server is down, or could not fetch it: no network, no room, no permission.
    """
    name = model.strip()
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise no_model_name(name)
    work = _Pull(url, name, on_progress)
    try:
        asyncio.run(work.run())
    except httpx.HTTPError as error:
        raise (pull_broke_off(name) if work.begun else unreachable(url, error)) from error


class _Pull:
    """One pull, and how far it is."""

    def __init__(self, url: str, name: str, on_progress: OnProgress) -> None:
        self._url = url
        self._name = name
        self._on_progress = on_progress
        self._layers: dict[str, tuple[int, int]] = {}  # bytes there and in all, by digest
        self._status = ""
        self.begun = False

    async def run(self) -> None:
        timeout = httpx.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS)
        async with httpx.AsyncClient(base_url=self._url, timeout=timeout, **client_options(self._url)) as client:
            request = client.build_request("POST", "/api/pull", json={"model": self._name})
            response = await waiting(client.send(request, stream=True), self._tell)
            try:
                if response.status_code != 200:
                    await response.aread()
                    raise self._refusal(response)
                async with aclosing(alines(response.aiter_bytes())) as lines:
                    while line := await waiting(anext(lines, b""), self._tell):
                        self._take(line)
                        if self._status == "success":
                            self._tell()
                            return
            finally:
                await response.aclose()
        raise pull_broke_off(self._name)

    def _tell(self) -> None:
        done, total = (sum(sizes) for sizes in zip(*self._layers.values(), strict=True)) if self._layers else (0, 0)
        self._on_progress(Progress("pulling", done, total, self._name, self._status))

    def _take(self, line: bytes) -> None:
        try:
            news: dict[str, Any] = json.loads(line)
            error, status, digest = news.get("error"), news.get("status"), news.get("digest")
        except (ValueError, AttributeError):
            raise (pull_broke_off(self._name) if self.begun else no_ollama(self._url)) from None
        if error:
            raise pull_error(self._name, error_text(news))
        self.begun = True
        self._status = str(status or "")
        if digest:
            self._layers[str(digest)] = (_bytes(news.get("completed")), _bytes(news.get("total")))

    def _refusal(self, response: httpx.Response) -> Exception:
        text = error_text(response.text)
        if response.status_code == 400 and "model name" in text:
            return no_model_name(self._name)
        if response.status_code == 500:
            return pull_error(self._name, text)
        return refused(self._url, response.status_code, text)


def _bytes(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
