"""The engines by name, and the choice between them. Imports an engine's module only when it is created."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, cast

from app import offline
from app.config_llm import ENGINE_SPELLINGS
from app.engines.inference_method import UnableEngine, is_unable
from app.errors import ConfigError, EngineUnavailable

if TYPE_CHECKING:
    from app.config import Settings
    from app.engines.base import Engine
    from app.schema import EngineStatus

ENGINES = {
    "vllm_openai": "app.engines.vllm_openai:VllmOpenAIEngine",
    "vllm": "app.engines.vllm:VllmEngine",
    "ollama": "app.engines.ollama:OllamaEngine",
    "hf": "app.engines.hf:HfEngine",
    "extractive": "app.engines.extractive:ExtractiveEngine",
}
ORDER = ("vllm_openai", "vllm", "ollama", "hf", "extractive")
"""In which order ``auto`` and the fallback look for an engine that is ready; the last always is."""


AUTO = "auto"
MODEL_SETTING = {"vllm_openai": "vllm_model", "vllm": "vllm_model_path", "ollama": "model", "hf": "hf_model_path"}
"""Which setting names an engine's model."""
MAKE_ROOM = "Switch to it (a switch closes the engine that takes the memory), or choose a smaller model."


@dataclass(frozen=True)
class Choice:
    """The engine that answers; ``reasons`` holds the status of each one that was skipped before it."""

    engine: Engine
    reasons: tuple[EngineStatus, ...] = ()


def check_name(name: str, *, auto: bool = True) -> str:
    """The engine's own name for ``name``; ``auto`` is one too unless it is ruled out.

    Raises:
        ConfigError: no engine has this name; the hint says the nearest.
    """
    found = ENGINE_SPELLINGS.get(name.lower(), name)
    if found in ENGINES or (auto and found == AUTO):
        return found
    near = [known for known in ORDER if known.startswith(name.lower())]
    near = near or difflib.get_close_matches(name.lower(), ENGINES, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"Engines are {', '.join(ORDER)}."
    raise ConfigError(f"{name!r} is no engine.", hint)


def create(name: str, settings: Settings) -> Engine:
    """The engine called ``name``; nothing is contacted or loaded yet.

    One that cannot write as INFERENCE_METHOD says is never ready, and says why.

    Raises:
        ConfigError: no engine has this name.
    """
    name = check_name(name, auto=False)
    offline.prepare(settings)  # also for programs that begin with an engine
    if is_unable(name, settings):
        return UnableEngine(name)
    module, kind = ENGINES[name].split(":")
    return cast("Engine", getattr(import_module(module), kind)(settings))


def with_model(settings: Settings, name: str, model: str | None) -> Settings:
    """``settings`` in which the engine ``name`` has ``model``; None changes nothing.

    Raises:
        ConfigError: the engine takes no model.
    """
    if not model:
        return settings
    if name not in MODEL_SETTING:
        raise ConfigError(f"{name} takes no model.", f"Leave {model!r} out, or choose another engine.")
    return settings.model_copy(update={MODEL_SETTING[name]: model})


def readiness(engine: Engine) -> EngineStatus:
    """``engine.check()``; one that would not fit into the free memory is not ready either."""
    status = engine.check()
    fit = engine.memory() if status.ready else None
    if fit is None or fit.fits:
        return status
    return replace(status, ready=False, detail=f"It {fit.sentence()}.", hint=MAKE_ROOM)


def choose(wanted: str, engines: Mapping[str, Engine]) -> Choice:
    """The first engine that is ready: the one called ``wanted`` unless that is ``AUTO``, then those of ``ORDER``.

    Raises:
        EngineUnavailable: none of ``engines`` is ready.
    """
    skipped: list[EngineStatus] = []
    for name in dict.fromkeys((wanted, *ORDER)):
        if name not in engines:
            continue
        status = readiness(engines[name])
        if status.ready:
            return Choice(engines[name], tuple(skipped))
        skipped.append(status)
    reasons = "; ".join(f"{status.name}: {status.detail.removesuffix('.')}" for status in skipped)
    raise EngineUnavailable(f"No engine is ready: {reasons or 'none was given'}.", "See `python -m app engines`.")
