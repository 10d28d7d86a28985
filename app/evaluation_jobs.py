"""Evaluations of the running product: in the background or at once, and those that were made before."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.engines.registry import AUTO, check_name
from app.errors import EngineUnavailable
from app.jobs import Job, JobBoard

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from app.config import Settings
    from app.engines.switch import EngineSwitch
    from app.evaluation.runs import Runs
    from app.evaluation.work import Evaluated, Request
    from app.knowledge.library import Knowledge
    from app.schema import OnProgress

_QUOTES = "extractive"  # writes no sentence of its own


class EvaluationJobs:
    """Evaluations in the background come one after the other; safe from several threads."""

    def __init__(self, settings: Settings, knowledge: Knowledge, switch: EngineSwitch) -> None:
        from app.evaluation import temporary
        from app.evaluation.runs import Runs

        self._settings = settings
        self._knowledge = knowledge
        self._switch = switch
        self._home = settings.data_dir / "evaluations"
        self._jobs: JobBoard[Evaluated] = JobBoard()
        self._under_way = 0
        self._lock = threading.Lock()
        self.runs: Runs = Runs(self._home)
        temporary.clean_up(self._home)

    def evaluate(self, request: Request, on_progress: OnProgress) -> Evaluated:
        """An evaluation in this thread; its runs are kept. Raises as :meth:`Work.do` does."""
        from app.evaluation.work import Work

        if request.engine and request.questions is None:
            self._ready(request.engine)  # said now, not after a folder was read
        with self._noted():
            done = Work(request, self._settings, self._knowledge, self._writer, self._home).do(on_progress)
        for run in (done.run, done.other):
            if run is not None:
                self.runs.keep(run)
        return done

    def start(self, title: str, request: Request) -> Job[Evaluated]:
        """The same in the background."""
        return self._jobs.start(title, lambda on_progress: self.evaluate(request, on_progress))

    def running(self) -> bool:
        """Whether one is being made now, in whatever thread."""
        return self._under_way > 0

    @contextmanager
    def _noted(self) -> Iterator[None]:
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def jobs(self) -> list[Job[Evaluated]]:
        """Running and recent evaluations, newest first."""
        return self._jobs.jobs()

    def close(self) -> None:
        """Stop what is being measured."""
        self._jobs.close()

    def _ready(self, engine: str) -> str:
        """The engine's name in one spelling, where it can write.

        Raises:
            ConfigError: there is no engine of that name.
            EngineUnavailable: it is not ready, or only quotes.
        """
        wanted = check_name(engine)
        name = self._switch.choice().engine.name if wanted == AUTO else wanted
        status = self._switch.engines[name].check()
        if not status.ready:
            raise EngineUnavailable(f"{name} cannot write questions now: {status.detail}", status.hint)
        if name == _QUOTES:
            raise EngineUnavailable(
                f"{_QUOTES} quotes and writes no questions.",
                "Name another engine (`python -m app engines`), or none for sentences with a gap.",
            )
        return name

    @contextmanager
    def _writer(self, engine: str) -> Iterator[BaseChatModel]:
        """The model of an engine, kept open; nobody stands in for it. Raises as :meth:`_ready` does."""
        name = self._ready(engine)
        with self._switch.lease(name) as ready:
            if ready.name != name:  # it went away in this very moment
                raise EngineUnavailable(f"{self._ready(engine)} was away for a moment.", "Try again.")
            self._switch.load(ready)
            yield ready.chat_model()
