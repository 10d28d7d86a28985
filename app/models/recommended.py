"""Models worth starting with, as ``recommended.toml`` holds them.

``python -m app.models.recommended`` prints the table of ``docs/models.md``.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from app.models.machine import Memory

from app.sizes import size as shown

RecommendedKind = Literal["chat", "vision", "embedding", "reranker"]
_FILE = Path(__file__).with_name("recommended.toml")


@dataclass(frozen=True)
class Recommended:
    """A model and why to take it. Sizes are in bytes, ``context`` in tokens; the file's head says how they were found.

    ``name`` is its id on the hub, ``modelscope`` the one on ModelScope, empty where none is known. ``gated``: its
    license has to be accepted on its page before it can be fetched. ``engines`` is empty for embedding models and
    rerankers, which run beside any engine.
    """

    kind: RecommendedKind
    name: str
    modelscope: str
    parameters: int
    bits: int
    quantization: str
    size: int
    size_from: Literal["listed", "computed"]
    memory: int
    context: int
    languages: tuple[str, ...]
    engines: tuple[str, ...]
    license: str
    gated: bool
    source: str
    why_en: str
    why_zh: str


def recommended(kind: RecommendedKind | None = None, language: str | None = None) -> list[Recommended]:
    """The models of a kind that know a language (``en``, ``zh``), the smallest first; None takes every one."""
    return [
        model for model in _models() if kind in (None, model.kind) and (language is None or language in model.languages)
    ]


def fitting(memory: int, kind: RecommendedKind | None = None, language: str | None = None) -> list[Recommended]:
    """Those of :func:`recommended` that need at most ``memory`` bytes, the largest first."""
    found = [model for model in recommended(kind, language) if model.memory <= memory]
    return sorted(found, key=lambda model: model.memory, reverse=True)


def suits(model: Recommended, memory: Memory) -> bool:
    """Whether it runs there, in all of the memory; quantized weights want a GPU."""
    return model.memory <= memory.total and (memory.device == "cuda" or not model.quantization)


def looked_up() -> date:
    """The day when the sources were read."""
    day: date = _data()["date"]
    return day


def table() -> str:
    """All of them as a Markdown table, the one of ``docs/models.md``."""
    rows = [
        "| for | model | fetches | needs | context | languages | engines | license | why |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*rows, *(_row(model) for model in recommended())]) + "\n"


def _row(model: Recommended) -> str:
    license_name = f"{model.license}, to accept first" if model.gated else model.license
    cells = (
        model.kind,
        f"[{model.name}]({model.source})",
        ("about " if model.size_from == "computed" else "") + shown(model.size),
        shown(model.memory),
        f"{model.context:,}",
        ", ".join(model.languages),
        ", ".join(model.engines) or "any",
        license_name,
        model.why_en,
    )
    return f"| {' | '.join(cells)} |"


@lru_cache(maxsize=1)
def _models() -> tuple[Recommended, ...]:
    return tuple(_model(entry) for entry in _data()["model"])


def _model(entry: dict[str, Any]) -> Recommended:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return Recommended(**fields)


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.stdout.write(table())
