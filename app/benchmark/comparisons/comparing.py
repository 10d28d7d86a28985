"""A comparison of engines from beginning to end."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from app.benchmark.comparisons.advice import advise
from app.benchmark.comparisons.course import Course, Round, rounds
from app.benchmark.comparisons.entrants import entrants
from app.benchmark.comparisons.fairness import own_limits, same_numbers, same_work
from app.benchmark.comparisons.prompt_source import Prompts, conversation_fits, fitting, gather
from app.benchmark.comparisons.report import Advice, Cell, ComparisonReport, Contestant
from app.benchmark.comparisons.room import Overflow, overflow
from app.benchmark.comparisons.seat import Make, Seat
from app.benchmark.environment import environment
from app.benchmark.monitor.memory import MemoryGauge
from app.benchmark.notes import note
from app.benchmark.quiet import quiet
from app.engines.registry import create
from app.errors import BenchmarkError
from app.imports import IMPORTING
from app.jobs import Cancelled
from app.runs import now
from app.schema import OnProgress, Progress
from app.sizes import size

if TYPE_CHECKING:
    from app.benchmark.comparisons.live import LiveEngine
    from app.benchmark.comparisons.request import CompareRequest, TuneRequest
    from app.config import Settings
    from app.knowledge.library import Knowledge

_SHARED = ("torch", "transformers")
"""Libraries of more than one engine: loaded before, so that the first engine does not seem to be larger for them."""


@dataclass
class Surroundings:
    """What a comparison needs beside its request. ``busy`` tells whether somebody else uses the engines now."""

    settings: Settings
    knowledge: Knowledge | None = None
    live: LiveEngine | None = None
    busy: Callable[[], bool] = lambda: False
    make: Make = create
    gauge: MemoryGauge = field(default_factory=MemoryGauge)


def compare(
    request: CompareRequest, around: Surroundings, on_progress: OnProgress = lambda progress: None
) -> ComparisonReport:
    """Load the engines, ask them, tell which one to use.

    Ctrl-C, or an ``on_progress`` that raises Cancelled, ends it: what was measured until then is reported, and marked.

    Raises:
        BenchmarkError: nothing can be measured, or no prompt be asked.
        ConfigError: there is no engine of that name.
        CollectionError: there is no such collection.
        Cancelled, KeyboardInterrupt: it was ended before anything was measured.
    """
    request.check()
    seats = [Seat(entrant, around.make) for entrant in entrants(request.engines, around.settings)]
    return Comparing(request, around, seats, on_progress).run()


class Comparing:
    """One comparison, or one series of settings: ``seats`` are who is measured, the first is the baseline."""

    kind = "compare"

    def __init__(
        self,
        request: CompareRequest | TuneRequest,
        around: Surroundings,
        seats: Sequence[Seat],
        on_progress: OnProgress,
    ) -> None:
        self.request = request
        self.seats = list(seats)
        self._around = around
        self._on_progress = on_progress
        self._notes: list[str] = []
        self._interrupted = False
        self._interleaved = False

    def run(self) -> ComparisonReport:
        """All of it."""
        prompts, steps = self._prepare()
        try:
            with self._room():
                self._measure(prompts, steps)
        except (Cancelled, KeyboardInterrupt):
            if not any(seat.measured for seat in self.seats):
                raise
            self._interrupted = True
            for seat in self.seats:
                seat.give_up()
        if not any(seat.measured for seat in self.seats):
            raise self._nothing()
        return self._report(prompts)

    def _prepare(self) -> tuple[Prompts, list[Round]]:
        for number, seat in enumerate(self.seats):
            self._on_progress(Progress("checking", number, len(self.seats), seat.label))
            seat.look()
        if all(seat.problem for seat in self.seats):
            raise self._nothing()
        request, source = self.request, self.request.prompts
        whose, window = self._smallest()
        wanted = sum(step.count for step in rounds(request, request.turns))
        prompts = gather(source, wanted, window, self._around.knowledge, self._on_progress)
        prompts = fitting(prompts, window, whose, request.max_tokens)
        turns = [turns for turns in request.turns if conversation_fits(prompts, turns, window, request.max_tokens)]
        self._notes += [
            note("conversation_too_long", turns=length, window=window, whose=whose)
            for length in request.turns
            if length not in turns
        ]
        if not turns:
            raise BenchmarkError(
                f"No conversation of {request.turns[0]} turns fits into the {window:,} tokens of {whose}.",
                "Ask for fewer turns, shorter prompts or shorter answers.",
            )
        steps = rounds(request, turns)
        asked = sum(step.count for step in steps)
        if prompts.own and asked > len(prompts.items):
            self._notes.append(note("repeated", count=len(prompts.items), asked=asked))
        return prompts, steps

    def _smallest(self) -> tuple[str, int]:
        """Whose context window is the smallest, and how many tokens it has."""
        known = [(seat.engine.context_window(), seat.label) for seat in self.seats if seat.engine and not seat.problem]
        window, label = min(known)
        return label, window

    @contextlib.contextmanager
    def _room(self) -> Iterator[None]:
        """The live engine makes room where there is none, and comes back afterwards."""
        live = self._around.live
        engine = live.set_aside(self._on_progress) if self.lacking() and live else ""
        self._notes += [note("set_aside", engine=engine)] if engine else []
        try:
            yield
        finally:
            for seat in self.seats:
                seat.close()
            if engine and live:
                failed = live.bring_back()
                self._notes.append(
                    note("not_back", engine=engine, why=failed) if failed else note("back", engine=engine)
                )

    def lacking(self) -> Overflow | None:
        """The memory that is missing for all of them at once, or for the largest where they come one by one."""
        return overflow(self.seats)

    def _measure(self, prompts: Prompts, steps: list[Round]) -> None:
        _load_libraries(self.seats)
        total = len(steps) * len(self.seats)
        asking = Course(prompts, self.request.max_tokens, total, self._around.gauge, self._progress)
        with quiet(), asking as course:  # before anything is loaded: models must be found by those who free them
            if self._load_all():
                self._in_turn(course, steps)
            else:
                self._one_by_one(course, steps)

    def _load_all(self) -> bool:
        """Whether all are loaded at once."""
        lacking = self.lacking()
        if lacking is not None:
            self._notes.append(note("one_by_one", need=size(lacking.need), free=size(lacking.free)))
            return False
        for seat in self.seats:
            self._load(seat)
            if seat.lacks_memory:
                self._notes.append(note("one_by_one_after_all"))
                for other in self.seats:
                    other.unload()
                return False
        self._interleaved = True
        self._notes.append(note("interleaved"))
        return True

    def _load(self, seat: Seat) -> None:
        seat.load(self._around.gauge, self._on_progress)

    def _in_turn(self, course: Course, steps: Sequence[Round]) -> None:
        for seat in self.seats:
            course.warm_up(seat, self._most)
        for step in steps:
            for seat in self.seats:
                course.measure(seat, step)

    def _one_by_one(self, course: Course, steps: Sequence[Round]) -> None:
        for seat in self.seats:
            self._measure_alone(seat, course, steps)

    def _measure_alone(self, seat: Seat, course: Course, steps: Sequence[Round]) -> None:
        self._load(seat)
        course.warm_up(seat, self._most)
        for step in steps:
            course.measure(seat, step)
        seat.close()

    @property
    def _most(self) -> int:
        return max(self.request.readers)

    def _progress(self, progress: Progress) -> None:
        if progress.stage == "measuring" and self._around.busy() and note("disturbed") not in self._notes:
            self._notes.append(note("disturbed"))
        self._on_progress(progress)

    def _nothing(self) -> BenchmarkError:
        reasons = "; ".join(f"{seat.label}: {seat.problem.rstrip('.')}" for seat in self.seats)
        return BenchmarkError(f"Nothing can be measured. {reasons}.", "See `python -m app engines`.")

    def _report(self, prompts: Prompts) -> ComparisonReport:
        request = self.request
        found = [seat.contestant(own_limits(seat, self._most)) for seat in self.seats]
        cells = [cell for seat in self.seats for cell in seat.cells()]
        at, name = now()
        notes = [*self._notes, *self.notes(found), *same_work(found, prompts, request.turns), *prompts.notes]
        notes += [note("one_repeat")] if request.repeats == 1 else []
        given = {**asdict(request), "prompts": prompts.told}
        config = {name: list(v) if isinstance(v, tuple) else v for name, v in given.items() if name != "id"}
        return ComparisonReport(
            request.id or name, at, self.kind, config, environment(), tuple(found), tuple(cells),
            self.advice(found, cells), self._interleaved, self._interrupted, tuple(notes),
        )  # fmt: skip

    def notes(self, contestants: Sequence[Contestant]) -> list[str]:
        """What else there is to know about who was measured."""
        return same_numbers(contestants)

    def advice(self, contestants: Sequence[Contestant], cells: Sequence[Cell]) -> Advice:
        """Which one to use, and why."""
        return advise(contestants, cells, {seat.label: seat.entrant.apply for seat in self.seats})


def _load_libraries(seats: Sequence[Seat]) -> None:
    """Raises nothing: an engine says itself what is not installed."""
    if any(seat.engine is not None and seat.engine.in_process and not seat.problem for seat in seats):
        with IMPORTING, contextlib.suppress(ImportError):
            for name in _SHARED:
                importlib.import_module(name)
