"""An Ollama server: which models it has, whether it can answer, and giving its memory back."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from app.engines.http import error_text, fetch, shown
from app.engines.ollama_errors import embeds_only, missing, no_ollama, refused, unreachable
from app.errors import EngineError, ModelMissing
from app.schema import EngineStatus

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from app.config import Settings


@dataclass(frozen=True)
class OllamaModel:
    """A model that the server has.

    ``chats`` is false for embedding models, ``remote`` true for those that run in a cloud; ``context_length``
    is what it was trained for, in tokens.
    """

    name: str
    chats: bool
    remote: bool
    context_length: int | None


class OllamaEngine:
    """The engine ``ollama``: settings MODEL, OLLAMA_BASE_URL, OLLAMA_NUM_CTX and ``llm.params``."""

    name = "ollama"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = settings.ollama_base_url
        self._found = ""  # the model that the last check found, where MODEL names none
        self._built: tuple[str, BaseChatModel] | None = None

    def check(self) -> EngineStatus:
        """Ready when the server answers and has the model."""
        try:
            model = self._pick(list_models(self._url))
        except EngineError as error:
            return EngineStatus(self.name, False, self._settings.model, error.message, error.hint)
        self._found = model.name
        return EngineStatus(self.name, True, model.name, f"{model.name} at {shown(self._url)}")

    def chat_model(self) -> BaseChatModel:
        """The model that MODEL names, else the first chat model that the server has.

        Raises:
            EngineUnavailable, ModelMissing: MODEL is empty and no model can be found.
        """
        name = self._settings.model or self._found or self._pick(list_models(self._url)).name
        built = self._built
        if built is None or built[0] != name:
            from app.engines.ollama_chat import build

            built = self._built = (name, build(name, self._settings))
        return built[1]

    def context_window(self) -> int:
        """OLLAMA_NUM_CTX, or what the model was trained for where that is less."""
        with contextlib.suppress(EngineError):
            known = self._pick(list_models(self._url)).context_length
            if known:
                return min(known, self._settings.ollama_num_ctx)
        return self._settings.ollama_num_ctx

    def close(self) -> None:
        """Asks the server to unload the model, if it was used from here."""
        built, self._built = self._built, None
        if built is None:
            return
        body = {"model": built[0], "messages": [], "keep_alive": 0}
        with contextlib.suppress(httpx.HTTPError, EngineError):
            fetch("POST", f"{self._url}/api/chat", body=body)

    def _pick(self, models: list[OllamaModel]) -> OllamaModel:
        wanted = self._settings.model
        if not wanted:
            usable = [model for model in models if model.chats and not model.remote]
            if not usable:
                raise ModelMissing("Ollama has no chat model yet.", "Fetch one, such as `ollama pull qwen3:8b`.")
            return usable[0]
        match = next((model for model in models if model.name == full_name(wanted)), None)
        if match is None:
            raise missing(wanted, [model.name for model in models if model.chats])
        if not match.chats:
            raise embeds_only(wanted)
        return match


def full_name(model: str) -> str:
    """``model`` with the tag that Ollama adds by itself: ``qwen3`` is ``qwen3:latest``."""
    return model if not model or ":" in model.rpartition("/")[2] else f"{model}:latest"


def list_models(url: str) -> list[OllamaModel]:
    """The models of the server at ``url``, newest first.

    Raises:
        EngineUnavailable: it is down, slow, or no Ollama server.
    """
    try:
        reply = fetch("GET", f"{url}/api/tags")
    except httpx.HTTPError as error:
        raise unreachable(url, error) from error
    try:
        if reply.status_code == 200:
            return [_model(item) for item in reply.json()["models"] or ()]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise no_ollama(url) from None
    raise refused(url, reply.status_code, error_text(reply.text))


def _model(item: dict[str, Any]) -> OllamaModel:
    details = item.get("details") or {}
    families = details.get("families") or [details.get("family") or ""]
    capabilities = item.get("capabilities")  # older servers do not tell
    chats = "completion" in capabilities if capabilities else not any("bert" in family for family in families)
    length = details.get("context_length")
    return OllamaModel(
        name=str(item["name"]),
        chats=chats,
        remote=bool(item.get("remote_host") or item.get("remote_model")),
        context_length=length if isinstance(length, int) and length > 0 else None,
    )
