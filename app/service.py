"""The running product: settings, documents, engines and conversations behind one object.

Exactly one :class:`Service` owns a data folder at a time. The page, the HTTP doors and the command line all go
through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app import offline
from app.answering import Answering
from app.benchmark_jobs import BenchmarkJobs
from app.cited_source import SourceView, cited_source
from app.config import Settings, get_settings
from app.conversation.history import History
from app.engines.registry import readiness
from app.engines.switch import EngineSwitch
from app.errors import Offline
from app.evaluation_jobs import EvaluationJobs
from app.jobs import Job, JobBoard
from app.knowledge import open_knowledge
from app.metrics import Metrics, observe
from app.model_jobs import ModelJobs
from app.owner import Ownership
from app.schema import DocumentInfo, EngineStatus, IngestReport, OnProgress, SearchResult
from app.uploads import Uploads
from app.votes import Votes
from app.warm_up import WarmUp

if TYPE_CHECKING:
    from app.conversation.request import Wishes
    from app.conversation.response import Response
    from app.conversation.turns import Turn
    from app.engines.registry import Choice

PATIENCE = 60.0
"""Seconds that the answers in flight may take to end when the server is stopped."""
WARM_UP_SECONDS = 10.0
"""And those that a warm-up under way may take: Python's end under a thread in native code may abort the process."""


class Service:
    """Use :meth:`open`; call :meth:`close` at the end. Safe from several threads."""

    def __init__(self, settings: Settings, ownership: Ownership) -> None:
        self.settings = settings
        self.ownership = ownership
        self.knowledge = open_knowledge(settings)
        self.history = History(settings.data_dir / "history.sqlite3")
        self.votes = Votes(settings.data_dir / "votes.sqlite3")
        self.switch = EngineSwitch(settings)
        self.models = ModelJobs(settings, self.switch)
        self.evaluations = EvaluationJobs(settings, self.knowledge, self.switch)
        self.benchmarks = BenchmarkJobs(settings, self.knowledge, self.switch, self.evaluations.running)
        self.metrics = Metrics()
        self.answering = Answering(settings, self.switch, self.knowledge, self.metrics.answered)
        observe(self.metrics, self.answering.admission, self.switch)
        self._uploads = Uploads(settings.data_dir / "uploads", self.knowledge)
        self._jobs = JobBoard[IngestReport]()
        self._switches = JobBoard[EngineStatus]()
        self._pulls = JobBoard[EngineStatus]()
        self._warm_up = WarmUp(self.switch, self.knowledge)

    @classmethod
    def open(cls, settings: Settings | None = None) -> Service:
        """Own the data folder and tidy up after a crash.

        Raises:
            DataFolderBusy: another process owns it.
            DataFolderError: it cannot be used.
            ConfigError: a setting is wrong.
        """
        settings = settings or get_settings()
        offline.prepare(settings)
        ownership = Ownership(settings.data_dir)
        ownership.acquire()
        try:
            service = cls(settings, ownership)
            service.knowledge.recover()
            service._uploads.clean_up()
        except BaseException:
            ownership.release()
            raise
        return service

    def close(self) -> None:
        """Let the answers in flight end, stop the other work, let the engines and files go, give up the folder."""
        self._warm_up.stop()
        self.answering.close(PATIENCE)
        work = (self._jobs, self._switches, self._pulls, self.models, self.benchmarks, self.evaluations)
        for part in (*work, self.switch, self.history, self.votes, self.knowledge):
            part.close()
        self._warm_up.wait(WARM_UP_SECONDS)
        self.ownership.release()

    # documents

    def ingest(
        self,
        paths: Sequence[Path],
        collection: str | None = None,
        on_progress: OnProgress = lambda progress: None,
    ) -> IngestReport:
        """Bring a collection up to date with files and folders, in this thread."""
        report = self.knowledge.ingest(paths, collection, on_progress)
        self.metrics.ingested(report)
        return report

    def start_ingest(self, paths: Sequence[Path], collection: str | None = None) -> Job[IngestReport]:
        """The same in the background."""
        title = ", ".join(path.name for path in paths)
        return self._jobs.start(title, lambda on_progress: self.ingest(paths, collection, on_progress))

    def upload(self, files: Sequence[tuple[str, bytes]], collection: str | None = None) -> Job[IngestReport]:
        """Keep uploaded files (name, content) and ingest them in the background.

        A file that cannot be read is not kept, and the earlier one of its name stays.
        """
        waiting = self._uploads.receive(files, collection)
        title = ", ".join(name for name, _ in files)

        def work(on_progress: OnProgress) -> IngestReport:
            report = self._uploads.ingest(waiting, collection, on_progress)
            self.metrics.ingested(report)
            return report

        return self._jobs.start(title, work)

    def jobs(self) -> list[Job[IngestReport]]:
        """Running and recent background work, newest first."""
        return self._jobs.jobs()

    def collections(self) -> list[str]:
        """The names of all collections."""
        return self.knowledge.names()

    def documents(self, collection: str | None = None) -> list[DocumentInfo]:
        """The documents of a collection."""
        return self.knowledge.documents(collection)

    def remove(self, docs: Sequence[str], collection: str | None = None) -> list[str]:
        """Remove documents by name, all or none; an uploaded file goes with its document, other files stay."""
        files = self.knowledge.remove(docs, collection)
        for file in files:
            self._uploads.discard(file.source)
        return [file.doc for file in files]

    def search(self, question: str, k: int = 10, collection: str | None = None) -> SearchResult:
        """The passages nearest to a question, relevant or not."""
        return self.knowledge.retriever(collection).search(question, k)

    def source(self, document_id: int, sha256: str) -> SourceView | None:
        """The cited version of a document; None when it was removed or replaced."""
        return cited_source(self.knowledge, document_id, sha256)

    def quote(self, document_id: int, sha256: str, start: int, end: int) -> str | None:
        """The words of a citation; None when that version of the document is gone."""
        content = self.knowledge.content(document_id, sha256)
        return content.text[start:end] if content else None

    # engines

    def engines(self) -> list[EngineStatus]:
        """Every engine: ready, or why not."""
        return [readiness(engine) for engine in self.switch.engines.values()]

    def choice(self, name: str | None = None) -> Choice:
        """The engine that would answer now, and why others were skipped; looked up every few seconds at most.

        Raises:
            ConfigError: there is no engine of that name.
            EngineUnavailable: none is ready.
        """
        return self.switch.choice(name)

    def forget_choices(self) -> None:
        """Look at the engines anew for the next question."""
        self.switch.forget_choices()

    def start_switch(self, name: str, model: str | None = None) -> Job[EngineStatus]:
        """Make another engine the live one, in the background."""
        return self._switches.start(name, lambda on_progress: self.use(name, model, on_progress))

    def use(self, name: str, model: str | None, on_progress: OnProgress) -> EngineStatus:
        """Make another engine the live one; a model that is not on this disk is fetched first.

        Raises as :meth:`EngineSwitch.use` and :meth:`ModelJobs.bring` do.
        """
        with self.metrics.switching(name):
            self.models.bring(name, model, on_progress)
            return self.switch.use(name, model, on_progress)

    def start_pull(self, model: str) -> Job[EngineStatus]:
        """Have Ollama fetch a model, in the background."""
        return self._pulls.start(model, lambda on_progress: self.pull(model, on_progress))

    def pull(self, model: str, on_progress: OnProgress = lambda progress: None) -> EngineStatus:
        """Have Ollama fetch a model; how the engine ``ollama`` is afterwards.

        Raises:
            EngineUnavailable: Ollama does not run, or lost its connection; what came is kept.
            ModelMissing: there is no such model.
            Offline: OFFLINE is set, and Ollama fetches from another machine.
        """
        if self.settings.offline:
            raise Offline(f"OFFLINE is set, and Ollama would fetch {model} from another machine.", offline.HINT)
        from app.engines.ollama_pull import pull

        pull(self.settings.ollama_base_url, model, on_progress)
        self.switch.forget_choices()
        return self.switch.engines["ollama"].check()

    def engine_jobs(self) -> list[Job[EngineStatus]]:
        """Running and recent switches and downloads of models, newest first."""
        jobs = [*self._switches.jobs(), *self._pulls.jobs()]
        return sorted(jobs, key=lambda job: job.begun, reverse=True)

    # answers

    def ask(
        self,
        question: str,
        *,
        history: Iterable[Turn] = (),
        engine: str | None = None,
        collection: str | None = None,
        documents: bool = True,
        conversation: str = "",
        wishes: Wishes | None = None,
    ) -> Response:
        """Answer a question; iterate over the response for its text. Work begins with the iteration.

        ``conversation`` names what the question belongs to. Iterating raises TooBusy where too many are in line.

        Raises:
            ConfigError: there is no engine of that name.
            QuestionError: the question is empty or far too long.
        """
        return self.answering.ask(
            question,
            history=history,
            engine=engine,
            collection=collection,
            documents=documents,
            conversation=conversation,
            wishes=wishes,
        )

    # warm-up

    @property
    def warm(self) -> bool:
        """Whether the first question will find everything loaded."""
        return self._warm_up.done

    def warm_up(self) -> None:
        """Load what the first answer needs, in a thread of its own; returns at once, does nothing the second time."""
        self._warm_up.start()


_current: Service | None = None


def set_current(service: Service | None) -> None:
    """Make ``service`` the one of this process."""
    global _current
    _current = service


def current() -> Service:
    """The service of this process. Raises RuntimeError outside a running server."""
    if _current is None:
        raise RuntimeError("No service is running in this process.")
    return _current
