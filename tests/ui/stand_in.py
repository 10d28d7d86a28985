"""A stand-in for the service: real history, real jobs, and answers under the test's control."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from app.benchmark.comparisons.report import ComparisonReport
from app.benchmark.comparisons.request import CompareRequest, TuneRequest
from app.benchmark.reporting.runs import BenchmarkRuns
from app.cited_source import SourceView
from app.config import Settings
from app.conversation.history import History
from app.engines.registry import AUTO, ORDER
from app.errors import CollectionError, EngineError, EngineUnavailable, HotswapError
from app.evaluation.runs import Runs
from app.evaluation.work import Evaluated, Request
from app.inventory import ModelHere
from app.jobs import Cancelled, Job, JobBoard
from app.models import Fetched, FetchRequest, Fit, Memory, MemoryNeed
from app.schema import (
    Answer,
    Citation,
    DocumentInfo,
    EngineStatus,
    Failure,
    IngestReport,
    OnProgress,
    Page,
    Progress,
    RouteStatus,
    RouteTry,
)  # fmt: skip
from app.votes import Votes
from tests.engines.servers import unused_url

MAIN = str(Path(__file__).resolve().parents[2] / "app" / "ui" / "main.py")
TEXT = "Costs are $5 and $10.\n\nTo switch to vLLM, start a server.\n\n# The end"
QUOTE = "To switch to vLLM, start a server."
DOC = DocumentInfo(7, "en/switching-engines.md", 1234, 3, "ready", "2026-01-02T03:04:05+00:00", "abc")
AT = TEXT.index(QUOTE)
CITATION = Citation(1, DOC.doc, None, AT, AT + len(QUOTE), QUOTE, True, "Engines", DOC.id, DOC.sha256)


@dataclass
class Reply:
    """What the next answer says: pieces, of which those after ``pause`` wait for ``go_on``."""

    pieces: Sequence[str] = (QUOTE + " [1]",)
    citations: tuple[Citation, ...] = (CITATION,)
    engine: str = "extractive"
    refused: bool = False
    complete: bool = True
    pause: int | None = None
    go_on: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    later_error: EngineError | None = None
    routes: tuple[RouteTry, ...] = ()


class ReplyResponse:
    """The part of a Response that the page uses."""

    def __init__(self, question: str, reply: Reply) -> None:
        self.query = question
        self.passages = (object(),)
        self.place = 0
        self.error: EngineError | None = None
        self._reply = reply
        self._said: list[str] = []
        self._done = False
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[str]:
        if self._reply.error is not None:
            raise self._reply.error
        for number, piece in enumerate(self._reply.pieces):
            if number == self._reply.pause:
                self._reply.go_on.wait(20)
            if self._closed.is_set():
                return
            self._said.append(piece)
            yield piece
        self.error = self._reply.later_error
        self._done = True

    def close(self) -> None:
        self._closed.set()

    @property
    def answer(self) -> Answer:
        reply = self._reply
        complete = self._done and reply.complete and self.error is None
        citations = reply.citations if self._done else ()
        said, asked = "".join(self._said), reply.routes
        return Answer(said, reply.engine, "", complete, reply.refused, self.query, citations, routes=asked)


class RoutesStandIn:
    """An engine of several servers."""

    def __init__(self, *statuses: RouteStatus) -> None:
        self.statuses = statuses
        self.looks = 0

    def routes(self) -> tuple[RouteStatus, ...]:
        self.looks += 1
        return self.statuses


class SwitchStandIn:
    """The part of the EngineSwitch that the page uses; a switch puts a new object into ``engines``."""

    def __init__(self) -> None:
        self.wanted = AUTO
        self.engines: dict[str, object] = {name: object() for name in ORDER}
        self.progress: Progress | None = None
        self.reading: dict[str, int] = {}
        self.needs: dict[str, int] = {}  # bytes, by engine or by model
        self.free = 10**10

    def readers(self, name: str) -> int:
        return self.reading.get(name, 0)

    def memory(self, name: str, model: str | None = None) -> Fit | None:
        need = self.needs.get(model or name)
        memory = Memory("cpu", "this machine", self.free, 2 * 10**10)
        return Fit(MemoryNeed(need, 0, 0), memory, need <= self.free) if need else None


class ModelsStandIn:
    """The part of the ModelJobs that the page uses: what is fetched is here once the test lets it go on."""

    def __init__(self, folder: Path) -> None:
        self.board = JobBoard[Fetched]()
        self.work = threading.Event()
        self.step = Progress("fetching", 4_100_000_000, 16_400_000_000, "org/tiny", "3/12", 52_000_000.0)
        self.asked: list[FetchRequest] = []
        self.error: HotswapError | None = None
        self.fetched = Fetched("org/tiny", folder / "org" / "tiny", "chat", "VLLM_MODEL_PATH", "org/tiny", came=12_000)
        self.models: list[ModelHere] = []
        self.arrives: list[ModelHere] = []
        self.removed: list[str] = []

    def start_fetch(self, request: FetchRequest) -> Job[Fetched]:
        def work(on_progress: OnProgress) -> Fetched:
            on_progress(self.step)
            while not self.work.wait(0.02):
                on_progress(self.step)
            if self.error is not None:
                raise self.error
            self.models += self.arrives
            self.fetched.folder.mkdir(parents=True, exist_ok=True)
            return self.fetched

        self.asked.append(request)
        return self.board.start(request.name, work)

    def jobs(self) -> list[Job[Fetched]]:
        return self.board.jobs()

    def here(self) -> list[ModelHere]:
        return list(self.models)

    def remove(self, name: str) -> tuple[ModelHere, bool]:
        if self.error is not None:
            raise self.error
        model = next(model for model in self.models if str(model.path) == name)
        self.models.remove(model)
        self.removed.append(name)
        return model, True


class EvaluationsStandIn:
    """The part of the EvaluationJobs that the page uses: real runs, kept once the test lets the work go on."""

    def __init__(self, folder: Path) -> None:
        self.board = JobBoard[Evaluated]()
        self.runs = Runs(folder)
        self.work = threading.Event()
        self.asked: list[Request] = []
        self.error: HotswapError | None = None
        self.result: Evaluated | None = None

    def start(self, title: str, request: Request) -> Job[Evaluated]:
        def work(on_progress: OnProgress) -> Evaluated:
            on_progress(Progress("searching", 1, 4, "q2"))
            while not self.work.wait(0.02):
                on_progress(Progress("searching", 1, 4, "q2"))
            if self.error is not None:
                raise self.error
            assert self.result is not None
            for run in (self.result.run, self.result.other):
                if run is not None:
                    self.runs.keep(run)
            return self.result

        self.asked.append(request)
        return self.board.start(title, work)

    def jobs(self) -> list[Job[Evaluated]]:
        return self.board.jobs()


class BenchmarksStandIn:
    """The part of the BenchmarkJobs that the page uses. Who cancels keeps what was measured, as there."""

    def __init__(self, folder: Path) -> None:
        self.board = JobBoard[ComparisonReport]()
        self.runs = BenchmarkRuns(folder)
        self.work = threading.Event()
        self.step = Progress("measuring", 3, 18, "hf")
        self.asked: list[CompareRequest | TuneRequest] = []
        self.error: HotswapError | None = None
        self.result: ComparisonReport | None = None

    def start(self, title: str, request: CompareRequest | TuneRequest) -> Job[ComparisonReport]:
        def work(on_progress: OnProgress) -> ComparisonReport:
            if self.error is not None:
                raise self.error
            assert self.result is not None
            report = replace(self.result, id=request.id)
            try:
                on_progress(self.step)
                while not self.work.wait(0.02):
                    on_progress(self.step)
            except Cancelled:
                self.runs.keep(replace(report, interrupted=True))
                raise
            self.runs.keep(report)
            return report

        self.asked.append(request)
        return self.board.start(title, work)

    def jobs(self) -> list[Job[ComparisonReport]]:
        return self.board.jobs()


class StandIn:
    """The part of the Service that the page uses."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder, ollama_base_url=unused_url())
        self.history = History(folder / "history.sqlite3")
        self.board = JobBoard[IngestReport]()
        self.engine_board = JobBoard[EngineStatus]()
        self.switch = SwitchStandIn()
        self.models = ModelsStandIn(folder / "models")
        self.evaluations = EvaluationsStandIn(folder / "evaluations")
        self.votes = Votes(folder / "votes.sqlite3")
        self.benchmarks = BenchmarksStandIn(folder / "benchmarks")
        self.steps: Sequence[Progress] = (Progress("loading", item="tiny"),)
        self.engine_error: HotswapError | None = None
        self.switched: list[tuple[str, str | None]] = []
        self.reply = Reply()
        self.asked: list[dict[str, Any]] = []
        self.states = [
            EngineStatus("vllm_openai", False, "", "No vLLM server is set.", "Set VLLM_BASE_URL."),
            EngineStatus("vllm", False, "", "No model is set for vLLM.", "Set VLLM_MODEL_PATH."),
            EngineStatus("ollama", False, "", "Ollama is not running.", "Start it."),
            EngineStatus("hf", False, "", "No model is set for hf.", "Set HF_MODEL_PATH."),
            EngineStatus("extractive", True),
        ]
        self.stored = {"default": [DOC]}
        self.report = IngestReport(added=1)
        self.work = threading.Event()
        self.warmed = 0
        self.warm = True

    def ask(self, question: str, **how: Any) -> ReplyResponse:
        self.asked.append({"question": question, **how})
        return ReplyResponse(question, self.reply)

    def engines(self) -> list[EngineStatus]:
        return self.states

    def forget_choices(self) -> None:
        pass

    def collections(self) -> list[str]:
        return list(self.stored)

    def documents(self, collection: str | None = None) -> list[DocumentInfo]:
        if collection not in self.stored:
            raise CollectionError(f"There is no collection {collection!r}.")
        return self.stored[collection]

    def remove(self, docs: Sequence[str], collection: str | None = None) -> list[str]:
        self.stored[collection or "default"] = [d for d in self.documents(collection) if d.doc not in docs]
        return list(docs)

    def source(self, document_id: int, sha256: str) -> SourceView | None:
        known = any(d.id == document_id and d.sha256 == sha256 for docs in self.stored.values() for d in docs)
        return SourceView(DOC.doc, TEXT, (Page(1, 0, len(TEXT)),), "text", None) if known else None

    def quote(self, document_id: int, sha256: str, start: int, end: int) -> str | None:
        source = self.source(document_id, sha256)
        return source.text[start:end] if source else None

    def upload(self, files: Sequence[tuple[str, bytes]], collection: str | None = None) -> Job[IngestReport]:
        def work(on_progress: OnProgress) -> IngestReport:
            on_progress(Progress("embedding", 0, 2, files[0][0], "1/4"))
            while not self.work.wait(0.02):
                on_progress(Progress("embedding", 0, 2, files[0][0], "1/4"))
            return self.report

        return self.board.start(", ".join(name for name, _ in files), work)

    def jobs(self) -> list[Job[IngestReport]]:
        return self.board.jobs()

    def switched_to(self, status: EngineStatus) -> None:
        """As after a switch."""
        self.states = [status if state.name == status.name else state for state in self.states]
        self.switch.wanted = status.name
        self.switch.engines = {**self.switch.engines, status.name: object()}

    def start_switch(self, name: str, model: str | None = None) -> Job[EngineStatus]:
        def work(on_progress: OnProgress) -> EngineStatus:
            self._steps(on_progress)
            self.switched.append((name, model))
            self.switched_to(EngineStatus(name, True, model or ""))
            return EngineStatus(name, True, model or "")

        return self.engine_board.start(name, work)

    def start_pull(self, model: str) -> Job[EngineStatus]:
        def work(on_progress: OnProgress) -> EngineStatus:
            self._steps(on_progress)
            return EngineStatus("ollama", True, model)

        return self.engine_board.start(model, work)

    def _steps(self, on_progress: OnProgress) -> None:
        """Over and over until the test lets it go on."""
        while True:
            for step in self.steps:
                on_progress(step)
                if self.work.wait(0.02):
                    if self.engine_error is not None:
                        raise self.engine_error
                    return

    def engine_jobs(self) -> list[Job[EngineStatus]]:
        return self.engine_board.jobs()

    def warm_up(self) -> None:
        self.warmed += 1


FAILURE = Failure("/somewhere/broken.pdf", "broken.pdf is damaged.", "Get it again.")
UNAVAILABLE = EngineUnavailable("No engine can answer.", "Start one.")


def opened(**query: str) -> AppTest:
    """A fresh session on the page."""
    test = AppTest.from_file(MAIN, default_timeout=20)
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()
