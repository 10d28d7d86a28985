"""What the GPUs do while something is measured: use, memory, power, heat, throttling, energy."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import Any, NamedTuple

from app.benchmark.figures import Distribution
from app.benchmark.monitor.nvml import Card, NoGpu, cards, opened

THROTTLING = {
    "applications_clocks_setting": 0x2,
    "sw_power_cap": 0x4,
    "hw_slowdown": 0x8,
    "sync_boost": 0x10,
    "sw_thermal_slowdown": 0x20,
    "hw_thermal_slowdown": 0x40,
    "hw_power_brake_slowdown": 0x80,
    "display_clock_setting": 0x100,
}
"""Why clocks are lower than they could be, by nvidia-smi's names. Idle clocks are no throttling, and left out.

Source: nvml.h, nvmlClocksEventReasons."""
_TEMPERATURE_GPU = 0


class _Look(NamedTuple):
    """``at`` in seconds; what the card does not tell is None."""

    at: float
    utilization: int | None
    memory: int | None
    watts: float | None
    celsius: int | None
    reasons: int | None
    millijoules: int | None


class GpuWatch:
    """One card over a while, from the first look on."""

    def __init__(self, card: Card) -> None:
        memory = card.memory()
        self._card = card
        self._total = None if memory is None else memory[1]
        self._looks: list[_Look] = []

    def look(self, at: float) -> None:
        """Ask it; ``at`` is the time in seconds."""
        ask = self._card.ask
        rates, memory, power = (
            ask("nvmlDeviceGetUtilizationRates"), self._card.memory(), ask("nvmlDeviceGetPowerUsage")
        )  # fmt: skip
        self._looks.append(
            _Look(
                at,
                None if rates is None else rates.gpu,
                None if memory is None else memory[0],
                None if power is None else power / 1000,
                ask("nvmlDeviceGetTemperature", _TEMPERATURE_GPU),
                ask("nvmlDeviceGetCurrentClocksThrottleReasons"),
                ask("nvmlDeviceGetTotalEnergyConsumption"),
            )
        )

    def report(self, output_tokens: int | None) -> dict[str, Any]:
        """The keys that programs rely on, after one look at least. Bytes, watts, degrees Celsius, joules.

        ``throttled``: what share of the looks saw which of THROTTLING. ``joules_per_token`` is of this card's energy
        and ``output_tokens``. ``energy_from`` is ``counter``, the card's own; or ``power``, its looks added up, which
        is coarse: many cards tell the mean of the last second (nvml.h, nvmlDeviceGetPowerUsage).
        """
        looks = list(self._looks)
        memory = [look.memory for look in looks if look.memory is not None]
        energy, source = _energy(looks)
        return {
            "index": self._card.index,
            "name": self._card.name,
            "utilization_percent": _distribution([look.utilization for look in looks]),
            "memory_start": looks[0].memory,
            "memory_peak": max(memory, default=None),
            "memory_total": self._total,
            "power_w": _distribution([look.watts for look in looks]),
            "temperature_peak_c": max((look.celsius for look in looks if look.celsius is not None), default=None),
            "energy_j": None if energy is None else round(energy, 3),
            "energy_from": source,
            "joules_per_token": round(energy / output_tokens, 6) if energy is not None and output_tokens else None,
            "throttled": _throttled([look.reasons for look in looks if look.reasons is not None]),
        }


class GpuWatches:
    """All cards that are watched; ``note`` says why there are none."""

    def __init__(self, chosen: Sequence[str] | None) -> None:
        """Raises BenchmarkError: a card is ``chosen`` that is not there (see :func:`cards`)."""
        self.note = ""
        self._watches: list[GpuWatch] = []
        with ExitStack() as stack:
            try:
                nvml = stack.enter_context(opened())
                self._watches = [GpuWatch(card) for card in cards(nvml, chosen)]
            except NoGpu as reason:
                self.note = str(reason)
            self._open = stack.pop_all()

    def look(self, at: float) -> None:
        """Ask every card; ``at`` is the time in seconds."""
        for watch in self._watches:
            watch.look(at)

    def report(self, output_tokens: int | None) -> list[dict[str, Any]] | None:
        """A table for each card; None where none could be asked."""
        return [watch.report(output_tokens) for watch in self._watches] or None

    def close(self) -> None:
        """Let NVML go; what was seen stays."""
        self._open.close()


def _distribution(values: Sequence[float | None]) -> dict[str, Any] | None:
    known = [value for value in values if value is not None]
    return Distribution.of(known).as_dict() if known else None


def _energy(looks: list[_Look]) -> tuple[float | None, str | None]:
    """In joules from the first look to the last, and where it is known from."""
    first, last = looks[0].millijoules, looks[-1].millijoules
    if len(looks) > 1 and first is not None and last is not None and last >= first:
        return (last - first) / 1000, "counter"
    known = [(look.at, look.watts) for look in looks if look.watts is not None]
    if len(known) < 2:
        return None, None
    return sum((until - since) * (one + other) / 2 for (since, one), (until, other) in pairwise(known)), "power"


def _throttled(reasons: list[int]) -> dict[str, float] | None:
    if not reasons:
        return None
    counts = {name: sum(bool(seen & bit) for seen in reasons) for name, bit in THROTTLING.items()}
    return {name: round(count / len(reasons), 4) for name, count in counts.items() if count}
