"""The engines by name, and the choice between them. Imports an engine's module only when it is created."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from app.errors import ConfigError, EngineUnavailable

if TYPE_CHECKING:
    from app.config import Settings
    from app.engines.base import Engine
    from app.schema import EngineStatus

ENGINES = {
    "vllm_openai": "app.engines.vllm_openai:VllmOpenAIEngine",
    "ollama": "app.engines.ollama:OllamaEngine",
    "extractive": "app.engines.extractive:ExtractiveEngine",
}
ORDER = ("vllm_openai", "ollama", "extractive")
"""In which order ``auto`` and the fallback look for an engine that is ready; the last always is."""


@dataclass(frozen=True)
class Choice:
    """The engine that answers; ``reasons`` holds the status of each one that was skipped before it."""

    engine: Engine
    reasons: tuple[EngineStatus, ...] = ()


def create(name: str, settings: Settings) -> Engine:
    """The engine called ``name``; nothing is contacted or loaded yet.

    Raises:
        ConfigError: no engine has this name; the hint says the nearest.
    """
    if name not in ENGINES:
        near = [known for known in ORDER if known.startswith(name.lower())]
        near = near or difflib.get_close_matches(name.lower(), ENGINES, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"Engines are {', '.join(ORDER)}."
        raise ConfigError(f"{name!r} is no engine.", hint)
    module, kind = ENGINES[name].split(":")
    return cast("Engine", getattr(import_module(module), kind)(settings))


def choose(settings: Settings, engines: Mapping[str, Engine]) -> Choice:
    """The first engine that is ready: the one that ``LLM_ENGINE`` names, then those of ``ORDER``.

    Raises:
        EngineUnavailable: none of ``engines`` is ready.
    """
    wanted = () if settings.llm_engine == "auto" else (settings.llm_engine,)
    skipped: list[EngineStatus] = []
    for name in dict.fromkeys((*wanted, *ORDER)):
        if name not in engines:
            continue
        status = engines[name].check()
        if status.ready:
            return Choice(engines[name], tuple(skipped))
        skipped.append(status)
    reasons = "; ".join(f"{status.name}: {status.detail}" for status in skipped)
    raise EngineUnavailable(f"No engine is ready: {reasons or 'none was given'}.", "See `python -m app engines`.")
