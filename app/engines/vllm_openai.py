"""One OpenAI-compatible server, such as vLLM's: what it serves and whether it can answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from app.engines.base import DEFAULT_CONTEXT_WINDOW
from app.engines.http import check_offline, error_text, fetch, shown
from app.errors import EngineError, EngineUnavailable, ModelMissing
from app.schema import EngineStatus, OnProgress, Progress

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from app.config import Settings

START_HINT = "Start one with `python -m app vllm-serve`, or correct VLLM_BASE_URL."
SEE_LOG = "See the server's log."


@dataclass(frozen=True)
class ServedModel:
    """A model that the server offers; ``window`` is its context in tokens, where it tells."""

    name: str
    window: int | None


class VllmOpenAIEngine:
    """The engine ``vllm_openai``: settings VLLM_BASE_URL, VLLM_MODEL, VLLM_API_KEY and ``llm.params``."""

    name = "vllm_openai"
    in_process = takes_memory = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = api_url(settings.vllm_base_url)
        self._found: ServedModel | None = None
        self._built: tuple[str, BaseChatModel] | None = None

    def check(self) -> EngineStatus:
        """Ready when the server answers and serves the model."""
        try:
            model = self._look()
        except EngineError as error:
            return EngineStatus(self.name, False, self._settings.vllm_model, error.message, error.hint)
        return EngineStatus(self.name, True, model.name, f"{model.name} at {shown(self._url)}")

    @property
    def loaded(self) -> bool:
        """Whether a client was built; the model itself is the server's."""
        return self._built is not None

    def memory(self) -> None:
        """The server's own affair."""

    def load(self, on_progress: OnProgress) -> None:
        """One token: a server lists its models also while it cannot answer.

        Raises:
            EngineError: it does not answer.
        """
        if not self.loaded:
            on_progress(Progress("loading", item=self.name, detail=shown(self._url)))
            self.chat_model().invoke("Hi", max_tokens=1)

    def chat_model(self) -> BaseChatModel:
        """The model that VLLM_MODEL names, else the first that the server offers.

        Raises:
            EngineUnavailable, ModelMissing: no server is set, or VLLM_MODEL is empty and none can be found.
        """
        if not self._url:
            raise _not_configured()
        check_offline(self._settings, "vllm_base_url")
        name = self._settings.vllm_model or (self._found or self._look()).name
        built = self._built
        if built is None or built[0] != name:
            from app.engines.vllm_openai_chat import build

            built = self._built = (name, build(name, self._url, self._settings))
        return built[1]

    def context_window(self) -> int:
        """The server's ``max_model_len``, where it tells."""
        try:
            model = self._found or self._look()
        except EngineError:
            return DEFAULT_CONTEXT_WINDOW
        return model.window or DEFAULT_CONTEXT_WINDOW

    def close(self) -> None:
        """Forgets the model; its memory is the server's own affair."""
        self._built = None

    def _look(self) -> ServedModel:
        self._found = None
        check_offline(self._settings, "vllm_base_url")
        models = list_models(self._url, self._settings.vllm_api_key)
        wanted = self._settings.vllm_model
        self._found = next((model for model in models if wanted in ("", model.name)), None)
        if self._found is None:
            raise missing(wanted, models)
        return self._found


def api_url(base: str) -> str:
    """``base`` with the ``/v1`` that the API's paths begin with; empty stays empty."""
    return base if not base or base.endswith("/v1") else f"{base}/v1"


def missing(wanted: str, models: list[ServedModel]) -> ModelMissing:
    """The error that says what the server offers instead."""
    names = ", ".join(model.name for model in models)
    if not names:
        return ModelMissing("The server at VLLM_BASE_URL serves no model.", START_HINT)
    hint = f"Set VLLM_MODEL to {names}, or leave it empty."
    return ModelMissing(f"The server at VLLM_BASE_URL does not serve {wanted}.", hint)


def list_models(url: str, key: str) -> list[ServedModel]:
    """What the server at ``url`` offers.

    Raises:
        EngineUnavailable: no server is set, it is down or slow, wants another key, or is another kind.
    """
    if not url:
        raise _not_configured()
    try:
        reply = fetch("GET", f"{url}/models", headers={"Authorization": f"Bearer {key}"} if key else None)
    except httpx.HTTPError as error:
        raise unreachable(url, error) from error
    try:
        if reply.status_code == 200:
            return [_served(item) for item in reply.json()["data"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise no_api(url) from None
    raise refused(url, reply.status_code, error_text(reply.text), key)


def _served(item: dict[str, object]) -> ServedModel:
    window = item.get("max_model_len")
    return ServedModel(str(item["id"]), window if isinstance(window, int) and window > 0 else None)


def _not_configured() -> EngineUnavailable:
    return EngineUnavailable(
        "No vLLM server is set.",
        "Start one with `python -m app vllm-serve` and set VLLM_BASE_URL to it, such as http://127.0.0.1:8000/v1.",
    )


def no_api(url: str) -> EngineUnavailable:
    """Something else answers at this address."""
    return EngineUnavailable(f"What answers at {shown(url)} is no OpenAI-compatible server.", START_HINT)


def unreachable(url: str, error: Exception) -> EngineUnavailable:
    """No connection, or no answer in time."""
    if isinstance(error, httpx.TimeoutException):
        hint = "It may still be loading: try again soon, or see its log."
        return EngineUnavailable(f"The server at {shown(url)} does not answer.", hint)
    return EngineUnavailable(f"No server runs at {shown(url)}.", START_HINT)


def refused(url: str, status: int, text: str, key: str) -> EngineUnavailable:
    """The server answered with an HTTP error; a key in its words is hidden."""
    if status in (401, 403):
        what = "VLLM_API_KEY is wrong" if key else "it wants a key"
        return EngineUnavailable(
            f"The server at {shown(url)} refuses us ({status}): {what}.",
            "Set VLLM_API_KEY to the key that the server was started with (`--api-key`).",
        )
    if status in (404, 405):
        return no_api(url)
    words = hidden(text, key) or "no reason given"
    return EngineUnavailable(f"The server at {shown(url)} failed ({status}): {words}", SEE_LOG)


def hidden(text: str, key: str) -> str:
    """``text`` without ``key``."""
    return text.replace(key, "…") if key else text
