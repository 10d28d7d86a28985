"""An axis: from values to places on it, and the round numbers beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_STEPS = (1, 2, 2.5, 5, 10)  # times a power of ten


def number(value: float) -> str:
    """In three digits or so: ``0.05``, ``1.5``, ``340``, ``1,200``, ``34k``, ``1.2M``."""
    size = abs(value)
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            return f"{value / (1e3 if unit == 'k' else limit):.3g}{unit}" if size < 1e12 else f"{value:.2g}"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):.10g}"


@dataclass(frozen=True)
class Axis:
    """``words`` name it. ``ticks`` have a text each. On a ``log`` axis equal factors are equally far apart.

    ``told`` writes a value of this axis in full, for who points at it.
    """

    words: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False
    told: Callable[[float], str] = number

    def share(self, value: float) -> float:
        """How far along the axis ``value`` lies, from 0 to 1; beyond its ends it is at the end."""
        low, high = self.low, self.high
        if self.log:
            value, low, high = (math.log(max(one, self.low)) for one in (value, low, high))
        return min(1.0, max(0.0, (value - low) / ((high - low) or 1.0)))


def rates(words: str = "") -> Axis:
    """From 0 to 1."""
    return Axis(words, 0.0, 1.0, [(step / 5, f"{step / 5:.1f}") for step in range(6)], told=lambda rate: f"{rate:.3f}")


def shares(words: str = "") -> Axis:
    """From 0 to 100 %."""
    ticks = [(step / 4, f"{step * 25} %") for step in range(5)]
    return Axis(words, 0.0, 1.0, ticks, told=lambda share: f"{share * 100:.3g} %")


def marked(words: str, ticks: Sequence[float], *, log: bool = False) -> Axis:
    """From the first of ``ticks`` to the last, which are all numbered."""
    return Axis(words, min(ticks), max(ticks), [(tick, number(tick)) for tick in ticks], log)


def upto(words: str, most: float, *, parts: int = 5) -> Axis:
    """From 0 to a round number at or above ``most``, in about so many round ``parts``."""
    step = _round(most / parts) if most > 0 else 1.0
    ticks = [at * step for at in range(max(1, math.ceil(most / step - 1e-9)) + 1)]
    return Axis(words, 0.0, ticks[-1], [(tick, number(tick)) for tick in ticks])


def span(words: str, low: float, high: float, *, parts: int = 5) -> Axis:
    """From ``low`` to ``high`` exactly, with round ticks in between."""
    step = _round((high - low) / parts) if high > low else 1.0
    ticks = [at * step for at in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return Axis(words, low, high, [(tick, number(tick)) for tick in ticks])


def powers(words: str, low: float, high: float) -> Axis:
    """A log axis that holds ``low`` and ``high``, both above 0; ticks at 1, 2, 5, 10, or, of many, at powers of ten."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    steps = (1, 2, 5) if last - first <= 2 else (1,)
    every = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    begin = max(tick for tick in every if tick <= low * (1 + 1e-9))
    end = min((tick for tick in every if tick >= high * (1 - 1e-9) and tick > begin), default=begin * 10)
    ticks = [tick for tick in every if begin <= tick <= end]
    return Axis(words, begin, end, [(tick, number(tick)) for tick in ticks], log=True)


def fitting(words: str, values: Sequence[float], *, far: float = 20.0) -> Axis:
    """From 0 to the largest of ``values``; where that is ``far`` times the smallest, a log axis that holds them all."""
    above = [value for value in values if value > 0]
    if above and max(above) >= far * min(above):
        return powers(words, min(above), max(above))
    return upto(words, max(above, default=1.0))


def _round(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(part * power for part in _STEPS if part * power >= step * (1 - 1e-9))
