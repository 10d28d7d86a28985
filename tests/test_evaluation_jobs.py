from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.language_models import BaseChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage

from app.config import load_settings
from app.engines.switch import EngineSwitch
from app.errors import ConfigError, EngineUnavailable
from app.evaluation.work import Request
from app.evaluation_jobs import EvaluationJobs
from app.knowledge import open_knowledge
from app.schema import EngineStatus, OnProgress
from tests.product import write_documents

ASKED = '{"question": "Who built the lighthouse of Skarvoy?", "answers": ["Ingrid Halvorsen"]}'


class Engine:
    """Writes the same question whenever it is asked."""

    in_process = takes_memory = loaded = False
    name = "ollama"

    def __init__(self, ready: bool) -> None:
        self._ready = ready

    def check(self) -> EngineStatus:
        return EngineStatus(
            self.name, self._ready, "tiny", "" if self._ready else "Ollama is not running.", "Start it."
        )

    def chat_model(self) -> BaseChatModel:
        return GenericFakeChatModel(messages=iter([AIMessage("Who built the lighthouse of Skarvoy?")] * 9))

    def memory(self) -> None: ...

    def load(self, on_progress: OnProgress) -> None: ...

    def context_window(self) -> int:
        return 4096

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EvaluationJobs]:
    settings = load_settings(
        data_dir=tmp_path_factory.mktemp("jobs") / "state",
        ollama_base_url="http://127.0.0.1:9",
        llm_engine="extractive",
    )
    left = settings.data_dir / "evaluations" / ".temporary-killed"
    left.mkdir(parents=True)
    knowledge, switch = open_knowledge(settings), EngineSwitch(settings)
    knowledge.ingest([write_documents(tmp_path_factory.mktemp("documents"))])
    made = EvaluationJobs(settings, knowledge, switch)
    assert not left.exists(), "what a killed process left is gone"
    yield made
    made.close()
    switch.close()
    knowledge.close()


def test_a_job_keeps_what_it_found(jobs: EvaluationJobs) -> None:
    job = jobs.start("mine", Request(ASKED, "q.jsonl", compare=("STRICTNESS=0",)))
    assert job.wait(120)
    assert job.error is None and job.result is not None and job.result.other is not None
    assert jobs.jobs()[0] is job
    assert set(jobs.runs.ids()[:2]) == {job.result.run.id, job.result.other.id}
    assert jobs.runs.load(job.result.run.id) == job.result.run


def test_a_bad_question_ends_its_job_with_the_reason(jobs: EvaluationJobs) -> None:
    before = jobs.runs.ids()
    job = jobs.start("bad", Request("{", "q.jsonl"))
    assert job.wait(60)
    assert job.error is not None and "q.jsonl, line 1" in job.error.message
    assert jobs.runs.ids() == before


@pytest.mark.parametrize(
    ("engine", "kind", "words"),
    [
        ("ollama", EngineUnavailable, "cannot write questions now"),
        ("extractive", EngineUnavailable, "quotes and writes no questions"),
        ("auto", EngineUnavailable, "quotes and writes no questions"),
        ("olama", ConfigError, "no engine"),
    ],
)
def test_an_engine_that_cannot_write_is_told_before_any_work(
    jobs: EvaluationJobs, tmp_path: Path, engine: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        jobs.evaluate(Request(corpus=tmp_path / "missing", engine=engine), lambda progress: None)


def test_an_engine_that_is_ready_writes(jobs: EvaluationJobs) -> None:
    engines = jobs._switch._engines
    kept = engines["ollama"]
    engines["ollama"] = Engine(True)  # type: ignore[assignment]
    jobs._switch.forget_choices()
    try:
        run = jobs.evaluate(Request(make=1, engine="ollama"), lambda progress: None).run
    finally:
        engines["ollama"] = kept
        jobs._switch.forget_choices()
    assert run.made == "ollama"
    assert run.records[0].question.question == "Who built the lighthouse of Skarvoy?"
    assert jobs._switch.readers("ollama") == 0, "it was given back"
