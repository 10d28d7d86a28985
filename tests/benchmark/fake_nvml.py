"""NVIDIA's library without a card: it answers what a test says, and fails as the real one does where it says nothing.

Its names, errors and units are those of the real module: a name that is not there is no name here either.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

GIB = 1024**3


@dataclass
class FakeCard:
    """``answers`` by the query's name without ``nvmlDeviceGet``: a value, or a function that gives or raises it."""

    name: str
    uuid: str
    answers: dict[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    """UUIDs of its MIG instances."""
    lost: bool = False


class FakeNvml:
    """Stands in for the module ``pynvml``. ``uses`` is how many have it open."""

    NVMLError = pynvml.NVMLError

    def __init__(self, *cards: FakeCard) -> None:
        self.cards = list(cards)
        self.uses = 0
        self.opened = 0
        self.fails: str = ""
        """The name of a function that fails."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        assert hasattr(pynvml, name), f"NVML has no {name}"
        return lambda *given: self._call(name, *given)

    def _call(self, name: str, *given: Any) -> Any:
        if name == self.fails:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
        if name == "nvmlInit":
            self.uses += 1
            self.opened += 1
            return None
        if self.uses == 0:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)
        if name == "nvmlShutdown":
            self.uses -= 1
            return None
        if name == "nvmlSystemGetDriverVersion":
            return "580.82.07"
        if name == "nvmlDeviceGetCount":
            return len(self.cards)
        return self._ask(name.removeprefix("nvmlDeviceGet"), *given)

    def _ask(self, query: str, *given: Any) -> Any:
        if query == "HandleByIndex":
            card = self.cards[given[0]]
            if card.lost:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
            return card
        if query == "HandleByUUID":
            if not any(given[0] in card.parts for card in self.cards):
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
            return given[0]
        if query == "DeviceHandleFromMigDeviceHandle":
            return next(card for card in self.cards if given[0] in card.parts)
        card = given[0]
        known = {"Name": card.name, "UUID": card.uuid, **card.answers}
        if query not in known:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        answer = known[query]
        return answer() if callable(answer) else answer


def install(monkeypatch: pytest.MonkeyPatch, *cards: FakeCard) -> FakeNvml:
    """For the rest of the test, NVML shows ``cards``, and nothing hides them."""
    fake = FakeNvml(*cards)
    monkeypatch.setitem(sys.modules, "pynvml", fake)  # type: ignore[arg-type]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return fake


def memory(used: int, total: int = 24 * GIB) -> SimpleNamespace:
    """NVML's table of a card's memory, in bytes."""
    return SimpleNamespace(used=used, total=total, free=total - used)


def series(*values: Any) -> Callable[[], Any]:
    """One of ``values`` for each call; an error among them is raised, and the last one stays."""
    left = list(values)

    def next_one() -> Any:
        value = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(value, Exception):
            raise value
        return value

    return next_one


def full(name: str = "NVIDIA L4", uuid: str = "GPU-11aa") -> FakeCard:
    """A card that tells everything, an energy counter included."""
    return FakeCard(
        name,
        uuid,
        {
            "UtilizationRates": series(*(SimpleNamespace(gpu=use, memory=9) for use in (0, 90, 100, 50))),
            "MemoryInfo": series(memory(0), *(memory(taken * GIB) for taken in (2, 10, 7, 3))),
            "PowerUsage": series(30_000, 70_000, 72_000, 40_000),
            "Temperature": series(40, 60, 71, 65),
            "CurrentClocksThrottleReasons": series(0x1, 0x4, 0x4 | 0x20, 0x1),
            "TotalEnergyConsumption": series(5_000_000, 5_030_000, 5_100_000, 5_160_500),
        },
    )


def poor(name: str = "Tesla M40", uuid: str = "GPU-22bb") -> FakeCard:
    """A card that tells its power and its memory, and nothing else."""
    return FakeCard(name, uuid, {"MemoryInfo": memory(GIB, 12 * GIB), "PowerUsage": series(100_000, 200_000)})
