"""The settings of one engine, tried one at a time against what is set now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from app.benchmark.comparisons.advice import advise_settings
from app.benchmark.comparisons.comparing import Comparing, Surroundings
from app.benchmark.comparisons.entrants import entrants
from app.benchmark.comparisons.report import ratios
from app.benchmark.comparisons.room import Overflow, overflow
from app.benchmark.comparisons.seat import Seat
from app.benchmark.comparisons.trials import trials
from app.benchmark.figures import Spread
from app.benchmark.notes import note
from app.errors import BenchmarkError
from app.schema import OnProgress

if TYPE_CHECKING:
    from app.benchmark.comparisons.course import Course, Round
    from app.benchmark.comparisons.report import Advice, Cell, ComparisonReport, Contestant
    from app.benchmark.comparisons.request import TuneRequest

AGAIN = " (again)"


def tune(
    request: TuneRequest, around: Surroundings, on_progress: OnProgress = lambda progress: None
) -> ComparisonReport:
    """Measure the engine as it is set, then with each setting changed, then as it is set once more.

    Ends and raises as :func:`app.benchmark.comparisons.comparing.compare`; BenchmarkError also where the engine as it
    is set cannot be measured.
    """
    request.check()
    (base,) = entrants((request.engine,), around.settings)
    tried = [Seat(entrant, around.make) for entrant in trials(base, request)]
    seats = [Seat(base, around.make), *tried]
    if any(not seat.problem for seat in tried):
        seats.append(Seat(replace(base, label=base.label + AGAIN), around.make))
    return _Tuning(request, around, seats, on_progress).run()


class _Tuning(Comparing):
    kind = "tune"

    def lacking(self) -> Overflow | None:
        """Each is loaded by itself."""
        found = [alone for seat in self.seats if (alone := overflow([seat])) is not None]
        return max(found, key=lambda alone: alone.need - alone.free, default=None)

    def _load_all(self) -> bool:
        self._notes.append(note("settings_alone"))
        return False

    def _one_by_one(self, course: Course, steps: Sequence[Round]) -> None:
        for seat in self.seats:
            self._measure_alone(seat, course, steps)
            if seat is self.seats[0] and not seat.measured:
                raise BenchmarkError(f"{seat.label} cannot be measured as it is set. {seat.problem}")

    def notes(self, contestants: Sequence[Contestant]) -> list[str]:
        """How far the machine changed meanwhile."""
        base, again = self.seats[0], self.seats[-1]
        if not again.label.endswith(AGAIN) or not again.measured:
            return []
        later = {(cell.readers, cell.turns): cell.tokens_per_second for cell in again.cells()}
        found = [note("measured_again")]
        for cell in base.cells():
            drift = Spread.of_ratios(ratios(later.get((cell.readers, cell.turns), ()), cell.tokens_per_second))
            if drift and drift.low is not None and drift.high is not None and not drift.low <= 1 <= drift.high:
                found.append(note("drift", readers=cell.readers, turns=cell.turns, times=round(drift.mean, 2)))
        return found

    def advice(self, contestants: Sequence[Contestant], cells: Sequence[Cell]) -> Advice:
        """Which setting to change."""
        again = self.seats[-1].label if self.seats[-1].label.endswith(AGAIN) and self.seats[-1].measured else None
        apply = {seat.label: seat.entrant.apply for seat in self.seats}
        return advise_settings(contestants, cells, apply, again)
