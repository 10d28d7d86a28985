"""Whether all engines of a comparison fit into memory at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.benchmark.comparisons.identity import memory_of_ollama
from app.models import Fit, Memory, MemoryNeed, fit, free_memory

if TYPE_CHECKING:
    from app.benchmark.comparisons.seat import Seat

OVERHEAD = 0.2
"""Of a model's file: what Ollama takes beside it, about; how much it will be, only Ollama knows."""


@dataclass(frozen=True)
class Overflow:
    """More is wanted than there is; bytes."""

    need: int
    free: int


def overflow(seats: Iterable[Seat]) -> Overflow | None:
    """Where they do not fit together: the device that lacks most. A single one that does not fit counts too."""
    wanted: dict[str, list[Fit]] = {}
    for seat in seats:
        if (one := _fit(seat)) is not None:
            wanted.setdefault(one.memory.name, []).append(one)
    found = [Overflow(sum(o.need.total for o in fits), min(o.memory.free for o in fits)) for fits in wanted.values()]
    return max((one for one in found if one.need > one.free), key=lambda one: one.need - one.free, default=None)


def _fit(seat: Seat) -> Fit | None:
    """What it would take; None where it is loaded, cannot be, or another machine has the memory."""
    engine = seat.engine
    if engine is None or seat.problem:
        return None
    known = engine.memory()
    if known is not None or engine.in_process or not engine.takes_memory or not seat.identity.size:
        return known
    if memory_of_ollama(seat.model, seat.entrant.settings) is not None:
        return None
    memory: Memory = free_memory("auto")
    return fit(MemoryNeed(seat.identity.size, 0, int(OVERHEAD * seat.identity.size)), memory)
