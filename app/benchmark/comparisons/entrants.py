"""Who is to be measured: an engine with its model and its settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.benchmark.named_engine import check_engine, patient
from app.engines.registry import MODEL_SETTING, with_model

if TYPE_CHECKING:
    from app.config import Settings


@dataclass(frozen=True)
class Entrant:
    """``settings`` are what its engine is made of; ``shown`` and ``apply`` those that differ from the product's.

    ``shown`` is for people, ``apply`` for the settings file. ``problem`` says why it cannot even be tried.
    """

    label: str
    name: str
    settings: Settings
    shown: Mapping[str, str] = field(default_factory=dict)
    apply: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def entrants(engines: Sequence[str], settings: Settings) -> list[Entrant]:
    """Of ``NAME`` and ``NAME=MODEL``; who shares a name is told apart by the model.

    Raises:
        ConfigError: there is no engine of that name.
        BenchmarkError: one has no model.
    """
    named = [check_engine(engine) for engine in engines]
    times = Counter(name for name, _ in named)
    short = [(name, model if not _is_folder(model) else Path(model).name) for name, model in named]
    clear = len(set(short)) == len(short)
    found = []
    for (name, model), (_, called) in zip(named, short, strict=True):
        label = f"{name} {called if clear else model}".strip() if times[name] > 1 else name
        line = {MODEL_SETTING[name].upper(): model} if model else {}
        mine = with_model(patient(settings), name, model or None)
        found.append(Entrant(label, name, mine, line, {"LLM_ENGINE": name, **line}))
    return found


def _is_folder(model: str) -> bool:
    return model.startswith(("/", "~", ".")) or Path(model).is_dir()
