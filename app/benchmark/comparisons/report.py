"""What a comparison of engines, or of one engine's settings, found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from app.benchmark.figures import Spread

VERSION = 1


@dataclass(frozen=True)
class Contestant:
    """An engine, or in ``tune`` one engine with ``settings`` of its own; the first of a comparison is the baseline.

    ``weights`` tells weights apart: those with the same text are the same numbers. Memory in bytes over what was taken
    before: ``loaded`` when it was ready, ``peak`` while it wrote; of RAM and of GPUs; None where it cannot be told.
    ``problem``: why there are no figures; ``notes``: what to know about them, in plain lines.
    """

    label: str
    engine: str
    model: str = ""
    weights: str = ""
    dtype: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    load_seconds: float | None = None
    ram_loaded: int | None = None
    ram_peak: int | None = None
    gpu_loaded: int | None = None
    gpu_peak: int | None = None
    problem: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Contestant:
        """The inverse of ``asdict``."""
        return cls(**{**data, "notes": tuple(data["notes"])})


@dataclass(frozen=True)
class Cell:
    """One contestant under one load, a value for each repeat.

    ``turns``: 1, or how long the conversations were. ``tokens_per_second`` of all readers together; ``ttft_ms`` and
    ``tpot_ms`` are medians of a repeat; ``output_tokens`` the mean length of an answer. ``failed``: answers that
    did not come whole, of ``asked`` in all repeats.
    """

    label: str
    readers: int
    turns: int
    tokens_per_second: tuple[float, ...]
    ttft_ms: tuple[float, ...]
    tpot_ms: tuple[float, ...]
    output_tokens: float | None
    asked: int
    failed: int

    def spread(self, name: str) -> Spread | None:
        """Of ``tokens_per_second``, ``ttft_ms`` or ``tpot_ms``."""
        return Spread.of(getattr(self, name))

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        spreads = {name: self.spread(name) for name in ("tokens_per_second", "ttft_ms", "tpot_ms")}
        told = {f"{name}_spread": spread.as_dict() if spread else None for name, spread in spreads.items()}
        return {**asdict(self), **told}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Cell:
        """The inverse of :meth:`as_dict`."""
        return cls(
            data["label"], data["readers"], data["turns"], tuple(data["tokens_per_second"]), tuple(data["ttft_ms"]),
            tuple(data["tpot_ms"]), data["output_tokens"], data["asked"], data["failed"],
        )  # fmt: skip


@dataclass(frozen=True)
class SpeedUp:
    """How many times the baseline's throughput, repeat by repeat, under one load; ``real`` where 1 is outside."""

    label: str
    readers: int
    turns: int
    ratio: Spread

    @property
    def real(self) -> bool:
        """Whether the repeats rule out that there is no difference."""
        low, high = self.ratio.low, self.ratio.high
        return low is not None and high is not None and not low <= 1 <= high


@dataclass(frozen=True)
class Advice:
    """Which contestant to use and why; ``label`` is empty where nothing was measured.

    ``why`` is a key of the report's words with its ``values``; ``apply`` are the settings that make it so.
    """

    label: str
    why: str
    values: dict[str, Any] = field(default_factory=dict)
    apply: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ComparisonReport:
    """``kind`` is ``compare`` or ``tune``; ``at`` is ISO 8601 in UTC.

    ``interleaved``: whether all were loaded at once and asked in turn; else one was measured after the other.
    ``environment`` says where: processor, cores, memory, GPUs, versions.
    """

    id: str
    at: str
    kind: str
    config: dict[str, Any]
    environment: dict[str, Any]
    contestants: tuple[Contestant, ...]
    cells: tuple[Cell, ...]
    advice: Advice
    interleaved: bool
    interrupted: bool = False
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Who was measured."""
        return " · ".join(contestant.label for contestant in self.contestants)

    def speed_ups(self) -> list[SpeedUp]:
        """Of every contestant but the baseline, under every load that both were measured under."""
        if not self.contestants:
            return []
        baseline = self.contestants[0].label
        of = {(cell.label, cell.readers, cell.turns): cell for cell in self.cells}
        found = []
        for cell in self.cells:
            base = of.get((baseline, cell.readers, cell.turns))
            if cell.label == baseline or base is None:
                continue
            ratio = Spread.of_ratios(ratios(cell.tokens_per_second, base.tokens_per_second))
            if ratio is not None:
                found.append(SpeedUp(cell.label, cell.readers, cell.turns, ratio))
        return found

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        return {
            "version": VERSION, "id": self.id, "at": self.at, "kind": self.kind, "benchmark_config": self.config,
            "environment": self.environment, "interleaved": self.interleaved, "interrupted": self.interrupted,
            "notes": list(self.notes),
            "contestants": [asdict(contestant) for contestant in self.contestants],
            "cells": [cell.as_dict() for cell in self.cells],
            "speed_ups": [
                {"label": item.label, "readers": item.readers, "turns": item.turns, **item.ratio.as_dict(),
                 "real": item.real}
                for item in self.speed_ups()
            ],
            "advice": asdict(self.advice),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ComparisonReport:
        """The inverse of :meth:`as_dict`."""
        return cls(
            data["id"], data["at"], data["kind"], data["benchmark_config"], data["environment"],
            tuple(map(Contestant.from_dict, data["contestants"])), tuple(map(Cell.from_dict, data["cells"])),
            Advice(**data["advice"]), data["interleaved"], data["interrupted"], tuple(data["notes"]),
        )  # fmt: skip


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """How many times ``theirs`` each of ``ours`` is, repeat by repeat, where both are something."""
    return [one / other for one, other in zip(ours, theirs, strict=False) if one > 0 and other > 0]
