"""What an engine's model is: whether its weights are those of another one, and how large it is."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.engines.http import on_this_machine
from app.engines.ollama_models import full_name, held, list_models
from app.engines.routing.routes import routes_of
from app.engines.routing.served import list_models as list_served
from app.engines.routing.served import pick
from app.errors import EngineError
from app.models import find, fingerprint

if TYPE_CHECKING:
    from app.config import Settings


@dataclass(frozen=True)
class Identity:
    """``weights`` is the same text for the same numbers; empty where they cannot be looked at. ``size`` in bytes."""

    weights: str = ""
    size: int = 0


def identify(name: str, model: str, settings: Settings) -> Identity:
    """Of the model that the engine ``name`` has by ``settings``; ``model`` is what the engine calls it."""
    with suppress(EngineError, OSError):
        if name == "ollama":
            return _of_ollama(settings.ollama_base_url, model)
        if name == "vllm_openai":
            return _served(settings)
        wanted = settings.hf_model if name == "hf" else settings.vllm_model_path
        return _of_folder(find(wanted, shelf=settings.models_folder))
    return Identity()


def memory_of_ollama(model: str, settings: Settings) -> tuple[int, int] | None:
    """How many bytes of RAM and of GPUs Ollama says that the model takes; None where it is not loaded."""
    try:
        return held(settings.ollama_base_url, model)
    except EngineError:
        return None


def _of_folder(folder: Path) -> Identity:
    return Identity(f"files:{fingerprint(folder)}", sum(f.stat().st_size for f in folder.glob("*.safetensors")))


def _of_ollama(url: str, model: str) -> Identity:
    found = next((each for each in list_models(url) if each.name == full_name(model)), None)
    return Identity(f"ollama:{found.digest[:16]}", found.size) if found and found.digest else Identity()


def _served(settings: Settings) -> Identity:
    """Of servers on this machine that tell the folder they loaded, where it is the same for all of them."""
    roots = set()
    for route in routes_of(settings):
        served = pick(route, list_served(route))
        roots.add(served.root if on_this_machine(route.url) else "")
    folder = Path(roots.pop()) if len(roots) == 1 else Path()
    return _of_folder(folder) if folder.is_absolute() and folder.is_dir() else Identity()
