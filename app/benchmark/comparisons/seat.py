"""One engine of a comparison: looked at, loaded, asked, and what was found of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.benchmark.comparisons.entrants import Entrant
from app.benchmark.comparisons.identity import Identity, identify, memory_of_ollama
from app.benchmark.comparisons.report import Cell, Contestant
from app.benchmark.notes import note
from app.engines.registry import readiness
from app.errors import EngineError, HotswapError, OutOfMemory

if TYPE_CHECKING:
    from app.benchmark.monitor.memory import MemoryGauge, Peak, Taken
    from app.benchmark.sample import Sample
    from app.config import Settings
    from app.engines.base import Engine
    from app.schema import OnProgress

Make = Callable[[str, "Settings"], "Engine"]


@dataclass
class _Repeats:
    """What came under one load, repeat by repeat."""

    tokens_per_second: list[float] = field(default_factory=list)
    ttft_ms: list[float] = field(default_factory=list)
    tpot_ms: list[float] = field(default_factory=list)
    output_tokens: list[int] = field(default_factory=list)
    asked: int = 0
    failed: int = 0
    error: str = ""

    def add(self, samples: Sequence[Sample]) -> None:
        """One repeat. Tokens a second are those of whole answers over the time that all of them took."""
        good = [sample for sample in samples if sample.ok]
        self.asked += len(samples)
        self.failed += len(samples) - len(good)
        self.error = self.error or next((sample.error for sample in samples if not sample.ok), "")
        counts = [sample.output_tokens for sample in good if sample.output_tokens is not None]
        seconds = max(sample.end for sample in samples) - min(sample.sent for sample in samples)
        if good and len(counts) == len(good) and seconds > 0:
            self.tokens_per_second.append(round(sum(counts) / seconds, 3))
            self.output_tokens += counts
        for name, times in (("ttft_ms", [sample.ttft for sample in good]), ("tpot_ms", [one.tpot for one in good])):
            known = [seconds * 1000 for seconds in times if seconds is not None]
            if known:
                getattr(self, name).append(round(statistics.median(known), 3))

    def cell(self, label: str, readers: int, turns: int) -> Cell:
        """All repeats."""
        return Cell(
            label, readers, turns, tuple(self.tokens_per_second), tuple(self.ttft_ms), tuple(self.tpot_ms),
            round(statistics.mean(self.output_tokens), 1) if self.output_tokens else None, self.asked, self.failed,
        )  # fmt: skip


class Seat:
    """``make`` makes its engine. Nothing here raises an engine's error: it becomes the ``problem``."""

    def __init__(self, entrant: Entrant, make: Make) -> None:
        self.entrant = entrant
        self.problem = entrant.problem
        self.lacks_memory = False
        self.engine: Engine | None = None
        self.model = ""
        self.identity = Identity()
        self.dtype = ""
        self._make = make
        self._before: Taken | None = None
        self._loaded: Taken | None = None
        self._start: Taken | None = None
        self._grown = [0, 0]  # bytes of RAM and of GPUs that it took since it was loaded, and kept
        self._more = [0, 0]  # the most that it took since then
        self._load_seconds: float | None = None
        self._ollama: tuple[int, int] | None = None
        self._there_already = False
        self._repeats: dict[tuple[int, int], _Repeats] = {}
        self._notes: list[str] = []

    @property
    def label(self) -> str:
        """What it is called."""
        return self.entrant.label

    @property
    def measured(self) -> bool:
        """Whether there is a figure of it."""
        return any(repeats.asked for repeats in self._repeats.values())

    def look(self) -> None:
        """Make the engine, and see what it would load."""
        if self.problem:
            return
        entrant = self.entrant
        try:
            self.engine = self._make(entrant.name, entrant.settings)
            status = self.engine.check()
        except HotswapError as error:
            self.problem = str(error)
            return
        self.model = status.model
        if not status.ready:
            self.problem = f"{status.detail} {status.hint}".strip()
            return
        self.identity = identify(entrant.name, status.model, entrant.settings)

    def load(self, gauge: MemoryGauge, on_progress: OnProgress) -> None:
        """Load it; how long that takes, and what of the memory."""
        if self.problem or self.engine is None:
            return
        status = readiness(self.engine)
        if not status.ready:
            self.problem = f"{status.detail} {status.hint}".strip()
            self.lacks_memory = self.engine.check().ready
            return
        self._there_already = self._held_by_ollama() is not None
        self._before = gauge.now()
        begun = time.perf_counter()
        try:
            self.engine.load(on_progress)
        except EngineError as error:
            self.problem, self.lacks_memory = str(error), isinstance(error, OutOfMemory)
            self.close()
            return
        self._load_seconds = None if self._there_already else round(time.perf_counter() - begun, 3)
        self._loaded = gauge.now()
        self.dtype = self.engine.number_format()
        self._ollama = self._held_by_ollama()
        self._notes += self._memory_notes()

    def unload(self) -> None:
        """As before it was loaded."""
        self.close()
        if self.lacks_memory:
            self.problem, self.lacks_memory = "", False

    def begin(self, now: Taken) -> None:
        """It is asked from now on; ``now`` is what everybody takes."""
        self._start = now

    def took(self, load: tuple[int, int], samples: Sequence[Sample], peak: Peak, end: Taken) -> None:
        """One repeat under ``load`` (readers and turns); meanwhile ``peak`` was taken, and ``end`` still is."""
        self._repeats.setdefault(load, _Repeats()).add(samples)
        if self._start is not None:
            self._more[0] = max(self._more[0], self._grown[0] + peak.ram - self._start.ram)
            self._grown[0] += end.ram - self._start.ram
            if peak.gpu is not None and end.gpu is not None and self._start.gpu is not None:
                self._more[1] = max(self._more[1], self._grown[1] + peak.gpu - self._start.gpu)
                self._grown[1] += end.gpu - self._start.gpu
        self._ollama = self._held_by_ollama() or self._ollama
        if all(not sample.ok for sample in samples):
            self.problem = note("stopped", error=samples[0].error)

    def close(self) -> None:
        """Let its memory go; a model that others had Ollama load stays."""
        if self.engine is not None and not self._there_already:
            self.engine.close()

    def give_up(self) -> None:
        """The run is stopped: nothing more will be measured."""
        if not self.measured:
            self.problem = self.problem or note("not_reached")

    def contestant(self, more: Sequence[str] = ()) -> Contestant:
        """All that is known of it but its figures; ``more`` are notes to add."""
        ram, gpu = self._memory()
        peak = [None if taken is None else taken + more for taken, more in zip((ram, gpu), self._more, strict=True)]
        if self._ollama is not None:
            peak = [None, None]
        return Contestant(
            self.label, self.entrant.name, self.model, self.identity.weights, self.dtype, dict(self.entrant.shown),
            self._load_seconds, ram, peak[0], gpu, peak[1], self.problem, (*self._notes, *self._failures(), *more),
        )  # fmt: skip

    def cells(self) -> list[Cell]:
        """Its figures."""
        return [found.cell(self.label, *load) for load, found in self._repeats.items()]

    def _memory(self) -> tuple[int | None, int | None]:
        """What it took when it was loaded: RAM, GPUs."""
        if self._ollama is not None:
            return self._ollama
        if self._before is None or self._loaded is None or self.engine is None or not self.engine.in_process:
            return None, None
        known = self._loaded.gpu is not None and self._before.gpu is not None
        gpu = max(0, (self._loaded.gpu or 0) - (self._before.gpu or 0)) if known else None
        return max(0, self._loaded.ram - self._before.ram), gpu

    def _held_by_ollama(self) -> tuple[int, int] | None:
        name = self.entrant.name
        return memory_of_ollama(self.model, self.entrant.settings) if name == "ollama" else None

    def _memory_notes(self) -> list[str]:
        if self.entrant.name == "vllm_openai":
            return [note("servers_memory")]
        if self._ollama is None:
            return []
        ram, gpu = self._ollama
        notes = [note("ollamas_memory")] + ([note("there_already")] if self._there_already else [])
        return notes + ([note("partly_on_cpu", share=round(100 * ram / (ram + gpu)))] if ram and gpu else [])

    def _failures(self) -> list[str]:
        failed = [(load, found) for load, found in self._repeats.items() if found.failed]
        told = [
            note("failures", readers=readers, turns=turns, failed=found.failed, asked=found.asked, error=found.error)
            for (readers, turns), found in failed
        ]
        uncounted = any(found.asked > found.failed and not found.tokens_per_second for found in self._repeats.values())
        return told + ([note("no_counts")] if uncounted else [])
