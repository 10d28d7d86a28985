"""An engine of this process that a benchmark names, and what its settings are for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.engines.registry import check_name
from app.errors import BenchmarkError

if TYPE_CHECKING:
    from app.config import Settings

QUOTES = "extractive"
"""The engine without a model: it writes no token that could be counted."""
PATIENCE = 600.0
"""Seconds until a first token, at least: many readers at once wait longer than one who chats."""


def check_engine(engine: str) -> tuple[str, str]:
    """The name and the model in ``NAME`` or ``NAME=MODEL``; the model is empty where the settings' is meant.

    Raises:
        ConfigError: there is no engine of that name.
        BenchmarkError: it has no model.
    """
    given, _, model = engine.partition("=")
    name = check_name(given.strip(), auto=False)
    if name == QUOTES:
        raise BenchmarkError(
            f"{QUOTES} quotes and has no model whose speed could be measured.", "Name another engine, such as hf."
        )
    return name, model.strip()


def patient(settings: Settings, seconds: float = PATIENCE) -> Settings:
    """``settings`` with time enough, ``seconds`` at least, for everybody in the line of an engine asked by many."""
    params = settings.llm.params
    longer = params.model_copy(update={"timeout": max(params.timeout, seconds)})
    return settings.model_copy(update={"llm": settings.llm.model_copy(update={"params": longer})})
