"""Which engine to use, or which setting, and why: rules that can be read, on what was measured.

Of engines: who failed to answer is out. Of the others the one with the most tokens a second for the most readers; of
those that were not shown to differ there, the one whose first token comes soonest for the fewest readers; of those
that do not differ in that either, the one that takes least memory. Settings must make the engine faster for some
number of readers, by GAIN at least and beyond the drift of the machine, and slower for none.

``Advice.why`` is one of WHY, ``Advice.values`` what its sentence tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.benchmark.comparisons.report import Advice, Cell, Contestant, ratios
from app.benchmark.figures import Spread

WHY: dict[str, tuple[str, ...]] = {
    # of engines
    "throughput": ("readers", "times", "low", "high", "over"),  # most tokens a second; ``over`` is the second best
    "throughput_not_alone": ("readers", "times", "low", "high", "over", "few", "other", "ms", "other_ms"),
    # … but with ``few`` readers the first token of ``other`` comes sooner: after other_ms, not ms
    "first_token": ("readers", "ms", "over", "over_ms"),  # equally many tokens a second, a first token sooner
    "memory": ("bytes", "over", "over_bytes"),  # no difference was shown; takes less memory
    "same": (),  # no difference was shown at all
    "only_one": (),  # nobody else could be measured without failures
    # of settings
    "gain": ("readers", "times", "low", "high"),  # so many times as fast as without the setting
    "keep": (),  # no setting was shown to be faster: stay with what you have
    "nothing_tried": (),  # none of the settings could be tried here
    # of both
    "none": (),  # nothing could be measured without failures
}
"""The keys of ``Advice.why``, and which values each has."""
SMALLER = 0.9, 512 * 1024**2
"""Who is to be smaller takes no more than this part of the other's memory, and so many bytes less: libraries that were
loaded by the first, and what the system keeps, blur what is below that."""
GAIN = 1.03
"""What a setting must bring to be worth a line in the settings file."""

Load = tuple[int, int]
"""Readers and turns."""
Apply = Mapping[str, Mapping[str, str]]
"""The settings that make it so, by the contestant's label."""


def advise(contestants: Sequence[Contestant], cells: Sequence[Cell], apply: Apply) -> Advice:
    """Which engine to use. Does not depend on the order of ``contestants`` and ``cells``."""
    fit = _Measured(contestants, cells)
    if not fit.labels:
        return Advice("", "none")
    if len(fit.labels) == 1:
        return Advice(fit.labels[0], "only_one", {}, dict(apply.get(fit.labels[0], {})))
    chosen = _throughput(fit) or _first_token(fit) or _memory(fit)
    lines = {} if chosen.why == "same" else apply.get(chosen.label, {})  # nothing speaks for a change
    return Advice(chosen.label, chosen.why, chosen.values, dict(lines))


def _throughput(fit: _Measured) -> Advice | None:
    """The one that writes most for the most readers, where it is one."""
    load = fit.heaviest
    best = fit.best(load, "tokens_per_second", _most)
    if load is None or len(best) != 1 or len(order := fit.ordered(load, "tokens_per_second", _most)) < 2:
        return None
    label, second = order[:2]
    values = {"readers": load[0], **_told(fit.ratio(label, second, load, "tokens_per_second")), "over": second}
    few = fit.lightest
    quick = fit.best(few, "ttft_ms", _least)
    if few is None or few[0] == load[0] or label in quick or not quick or (ms := fit.mean(label, few)) is None:
        return Advice(label, "throughput", values)
    more = {"few": few[0], "other": quick[0], "ms": ms, "other_ms": fit.mean(quick[0], few)}
    return Advice(label, "throughput_not_alone", {**values, **more})


def _first_token(fit: _Measured) -> Advice | None:
    """Of those that write equally much the one that begins soonest, where it is one."""
    load = fit.lightest
    equal = fit.among(fit.best(fit.heaviest, "tokens_per_second", _most) or fit.labels)
    best = equal.best(load, "ttft_ms", _least)
    if load is None or len(best) != 1 or len(order := equal.ordered(load, "ttft_ms", _least)) < 2:
        return None
    second = order[1]
    ms, over_ms = equal.mean(best[0], load), equal.mean(second, load)
    return Advice(best[0], "first_token", {"readers": load[0], "ms": ms, "over": second, "over_ms": over_ms})


def _memory(fit: _Measured) -> Advice:
    """Of those that were not shown to differ the smallest."""
    equal = fit.among(fit.best(fit.heaviest, "tokens_per_second", _most) or fit.labels)
    equal = equal.among(equal.best(fit.lightest, "ttft_ms", _least) or equal.labels)
    sizes = sorted((size, label) for label in equal.labels if (size := equal.memory(label)) is not None)
    if len(sizes) < max(2, len(equal.labels)):
        return Advice(equal.labels[0], "same")
    (size, label), (other_size, other) = sizes[:2]
    if size > SMALLER[0] * other_size or other_size - size < SMALLER[1]:
        return Advice(equal.labels[0], "same")
    return Advice(label, "memory", {"bytes": size, "over": other, "over_bytes": other_size})


def advise_settings(
    contestants: Sequence[Contestant], cells: Sequence[Cell], apply: Apply, again: str | None
) -> Advice:
    """Which setting to change. The first of ``contestants`` has none changed; ``again`` is it once more, at the end."""
    base = contestants[0].label
    fit = _Measured(contestants, cells)
    if base not in fit.labels:
        return Advice("", "none")
    found: list[tuple[float, str, Load, Spread]] = []
    tried = [label for label in fit.labels if label not in (base, again)]
    for label in tried:
        gains = {load: spread for load in fit.loads if (spread := fit.ratio(label, base, load, "tokens_per_second"))}
        if any(_slower(spread) for spread in gains.values()):
            continue
        for load, spread in gains.items():
            after = fit.ratio(label, again, load, "tokens_per_second") if again else spread
            if spread.mean >= GAIN and _faster(spread) and (after is None or _faster(after)):
                found.append((spread.mean, label, load, spread))
    if not found:
        return Advice(base, "keep" if tried else "nothing_tried")
    _, label, load, spread = max(found, key=lambda item: (item[0], item[1]))
    return Advice(label, "gain", {"readers": load[0], **_told(spread)}, dict(apply.get(label, {})))


def _most(value: float) -> float:
    return -value


def _least(value: float) -> float:
    return value


@dataclass(frozen=True)
class _Measured:
    """The contestants that answered everything, in alphabetical order, and what was measured of them."""

    contestants: Sequence[Contestant]
    cells: Sequence[Cell]

    @property
    def labels(self) -> list[str]:
        """Who can be recommended."""
        answered = {cell.label for cell in self.cells if any(cell.tokens_per_second) and not cell.failed}
        failed = {cell.label for cell in self.cells if cell.failed}
        return sorted(c.label for c in self.contestants if not c.problem and c.label in answered - failed)

    @property
    def loads(self) -> list[Load]:
        """Under which all of them were measured, from the fewest readers and turns on."""
        of = [{(cell.readers, cell.turns) for cell in self.cells if cell.label == label} for label in self.labels]
        return sorted(set.intersection(*of)) if of else []

    @property
    def heaviest(self) -> Load | None:
        """The most readers, and of them the shortest conversations."""
        return max(self.loads, key=lambda load: (load[0], -load[1]), default=None)

    @property
    def lightest(self) -> Load | None:
        """The fewest readers, and of them the shortest conversations."""
        return min(self.loads, default=None)

    def among(self, labels: Sequence[str]) -> _Measured:
        """Only those."""
        return _Measured([c for c in self.contestants if c.label in labels], self.cells)

    def ratio(self, label: str, other: str | None, load: Load, name: str) -> Spread | None:
        """How many times the other's value, over the repeats."""
        return Spread.of_ratios(ratios(self._values(label, load, name), self._values(other, load, name)))

    def ordered(self, load: Load, name: str, key: Callable[[float], float]) -> list[str]:
        """From the best to the worst; those without values are left out."""
        means = {label: spread.mean for label in self.labels if (spread := Spread.of(self._values(label, load, name)))}
        return sorted(means, key=lambda label: (key(means[label]), label))

    def best(self, load: Load | None, name: str, key: Callable[[float], float]) -> list[str]:
        """The best, and all that were not shown to differ from it."""
        if load is None or not (order := self.ordered(load, name, key)):
            return []
        ours = {label: self.ratio(label, order[0], load, name) for label in order[1:]}
        return [order[0], *(label for label, spread in ours.items() if spread is None or not _differs(spread))]

    def mean(self, label: str, load: Load) -> float | None:
        """Of the first token, in milliseconds; None where it was not measured."""
        values = self._values(label, load, "ttft_ms")
        return round(sum(values) / len(values), 3) if values else None

    def memory(self, label: str) -> int | None:
        """Bytes at the peak, of RAM and GPUs together; None where it cannot be told."""
        found = next(c for c in self.contestants if c.label == label)
        parts = [found.ram_peak or found.ram_loaded, found.gpu_peak or found.gpu_loaded]
        known = [part for part in parts if part is not None]
        return sum(known) if known else None

    def _values(self, label: str | None, load: Load, name: str) -> Sequence[float]:
        """Nothing for a cell with failures: what did not come took no time."""
        for cell in self.cells:
            if (cell.label, cell.readers, cell.turns) == (label, *load) and not cell.failed:
                values: Sequence[float] = getattr(cell, name)
                return values
        return ()


def _told(spread: Spread | None) -> dict[str, float | None]:
    return {"times": spread.mean, "low": spread.low, "high": spread.high} if spread else {}


def _differs(spread: Spread) -> bool:
    return _faster(spread) or _slower(spread)


def _faster(spread: Spread) -> bool:
    return spread.low is not None and spread.low > 1


def _slower(spread: Spread) -> bool:
    return spread.high is not None and spread.high < 1
