"""The models that an Ollama server has, and what it says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from app.engines.http import error_text, fetch
from app.engines.ollama_errors import missing, no_ollama, refusal, refused, unreachable
from app.errors import EngineError


@dataclass(frozen=True)
class OllamaModel:
    """A model that the server has.

    ``chats`` is false for embedding models, ``remote`` true for those that run in a cloud; ``context_length``
    is what it was trained for, in tokens. ``digest`` is the same for the same files, ``quantization`` how the numbers
    are stored, such as Q4_K_M, ``size`` in bytes; empty or 0 where the server does not tell.
    """

    name: str
    chats: bool
    remote: bool
    context_length: int | None
    digest: str = ""
    quantization: str = ""
    size: int = 0


def full_name(model: str) -> str:
    """``model`` with the tag that Ollama adds by itself: ``qwen3`` is ``qwen3:latest``."""
    return model if not model or ":" in model.rpartition("/")[2] else f"{model}:latest"


def list_models(url: str) -> list[OllamaModel]:
    """The models of the server at ``url``, newest first.

    Raises:
        EngineUnavailable: it is down, slow, or no Ollama server.
    """
    models = _asked("GET", url, "/api/tags", None, "models") or ()
    try:
        return [_model(item) for item in models]
    except (TypeError, KeyError, AttributeError):
        raise no_ollama(url) from None


def trained_for(url: str, name: str) -> int | None:
    """The context length, in tokens, that the model ``name`` was trained for, where its file tells.

    The list of models has it too, but not that of older servers.

    Raises:
        EngineUnavailable: the server is down, slow, has no such model, or is no Ollama server.
    """
    info = _asked("POST", url, "/api/show", {"model": name}, "model_info")
    if not isinstance(info, dict):
        return None
    return _positive(info.get(f"{info.get('general.architecture')}.context_length"))


def held(url: str, name: str) -> tuple[int, int] | None:
    """How many bytes of RAM and of GPUs the loaded model ``name`` takes; None where it is not loaded.

    Raises:
        EngineUnavailable: the server is down, slow, or no Ollama server.
    """
    for item in _asked("GET", url, "/api/ps", None, "models") or ():
        if isinstance(item, dict) and item.get("name") == full_name(name):
            size, gpu = _positive(item.get("size")) or 0, _positive(item.get("size_vram")) or 0
            return max(0, size - gpu), gpu
    return None


def refusal_of(url: str, name: str, response: httpx.Response) -> Exception:
    """Why the server answered a request for the model ``name`` with an HTTP error; TryAgain as in ``refusal``."""
    text = error_text(response.text)
    if response.status_code != 404 or "model" not in text:
        return refusal(url, name, response.status_code, text)
    try:
        return missing(name, [model.name for model in list_models(url) if model.chats])
    except EngineError:
        return missing(name, ())


def _asked(method: str, url: str, path: str, body: object, key: str) -> Any:
    """The value of ``key`` in the server's answer."""
    try:
        reply = fetch(method, f"{url}{path}", body=body)
    except httpx.HTTPError as error:
        raise unreachable(url, error) from error
    if reply.status_code != 200:
        raise refused(url, reply.status_code, error_text(reply.text))
    try:
        return reply.json()[key]
    except (ValueError, TypeError, KeyError):
        raise no_ollama(url) from None


def _model(item: dict[str, Any]) -> OllamaModel:
    details = item.get("details") or {}
    families = details.get("families") or [details.get("family") or ""]
    capabilities = item.get("capabilities")  # older servers do not tell
    chats = "completion" in capabilities if capabilities else not any("bert" in family for family in families)
    return OllamaModel(
        name=str(item["name"]),
        chats=chats,
        remote=bool(item.get("remote_host") or item.get("remote_model")),
        context_length=_positive(details.get("context_length")),
        digest=str(item.get("digest") or ""),
        quantization=str(details.get("quantization_level") or ""),
        size=_positive(item.get("size")) or 0,
    )


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
