"""Comparisons of engines by the running product: in the background or at once, and those that were made before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from app.engines.registry import create
from app.errors import BenchmarkError
from app.jobs import Cancelled, Job, JobBoard
from app.schema import Progress

if TYPE_CHECKING:
    from app.benchmark.comparisons.report import ComparisonReport
    from app.benchmark.comparisons.request import CompareRequest, TuneRequest
    from app.benchmark.reporting.runs import BenchmarkRuns
    from app.config import Settings
    from app.engines.base import Engine
    from app.engines.switch import EngineSwitch
    from app.knowledge.library import Knowledge
    from app.schema import OnProgress

_LOOKS = 0.5  # seconds between two looks at whether it is our turn


class BenchmarkJobs:
    """One comparison at a time; safe from several threads.

    It begins when no other work that disturbs it is ``busy``, such as an evaluation of search. What begins meanwhile,
    and answers that are written, are noted in the report.
    """

    def __init__(
        self,
        settings: Settings,
        knowledge: Knowledge,
        switch: EngineSwitch,
        busy: Callable[[], bool] = lambda: False,
        make: Callable[[str, Settings], Engine] = create,
    ) -> None:
        from app.benchmark.reporting.runs import BenchmarkRuns

        self._settings = settings
        self._knowledge = knowledge
        self._switch = switch
        self._busy = busy
        self._make = make
        self._jobs: JobBoard[ComparisonReport] = JobBoard()
        self._turn = threading.Lock()
        self._ending = False
        self.runs: BenchmarkRuns = BenchmarkRuns(settings.data_dir / "benchmarks")

    def compare(self, request: CompareRequest, on_progress: OnProgress) -> ComparisonReport:
        """Compare engines in this thread, and keep the report.

        Raises:
            Cancelled: ``on_progress`` did; what was measured until then is kept, and marked.
            BenchmarkError: likewise, but the disk takes no more. A whole report says that in a note.
            HotswapError: as :func:`app.benchmark.comparisons.comparing.compare`.
        """
        return self._do(request, on_progress)

    def tune(self, request: TuneRequest, on_progress: OnProgress) -> ComparisonReport:
        """Try settings of an engine in this thread; otherwise as :meth:`compare`."""
        return self._do(request, on_progress)

    def start(self, title: str, request: CompareRequest | TuneRequest) -> Job[ComparisonReport]:
        """Either of them in the background."""
        return self._jobs.start(title, lambda on_progress: self._do(request, on_progress))

    def jobs(self) -> list[Job[ComparisonReport]]:
        """Running and recent ones, newest first."""
        return self._jobs.jobs()

    def close(self) -> None:
        """Stop what is being measured; no engine is brought back for it."""
        self._ending = True
        self._jobs.close()

    def _do(self, request: CompareRequest | TuneRequest, on_progress: OnProgress) -> ComparisonReport:
        from app.benchmark.comparisons.comparing import Surroundings, compare
        from app.benchmark.comparisons.live import LiveEngine
        from app.benchmark.comparisons.request import CompareRequest
        from app.benchmark.comparisons.tuning import tune

        request.check()  # said now, not when it is our turn
        if request.id:
            self.runs.load(request.id)  # likewise what is no id
        with self._our_turn(on_progress):
            live = LiveEngine(self._switch, lambda: self._ending)
            around = Surroundings(self._settings, self._knowledge, live, self._disturbed, self._make)
            if isinstance(request, CompareRequest):
                report = compare(request, around, on_progress)
            else:
                report = tune(request, around, on_progress)
        try:
            self.runs.keep(report)
        except BenchmarkError as error:
            if report.interrupted:
                raise
            return replace(report, notes=(*report.notes, str(error)))  # it is told all the same
        if report.interrupted:
            raise Cancelled
        return report

    @contextmanager
    def _our_turn(self, on_progress: OnProgress) -> Iterator[None]:
        """Waits for it; ``on_progress`` may raise to wait no longer."""
        while not self._turn.acquire(timeout=_LOOKS):
            on_progress(Progress("waiting"))
        try:
            while self._busy():
                on_progress(Progress("waiting"))
                threading.Event().wait(_LOOKS)
            yield
        finally:
            self._turn.release()

    def _disturbed(self) -> bool:
        return self._busy() or any(self._switch.readers(name) for name in self._switch.engines)
