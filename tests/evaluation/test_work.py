"""Evaluations over real documents, with the real search."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

import pytest
from langchain_core.language_models import BaseChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage

from app.config import Settings, load_settings
from app.errors import CollectionError, ConfigError, DocumentMissing, EvaluationError
from app.evaluation.questions import parse
from app.evaluation.work import Evaluated, Request, Work
from app.jobs import Cancelled
from app.knowledge import open_knowledge
from app.knowledge.library import Knowledge
from app.schema import Progress
from tests.product import DOCUMENTS, write_documents

LAMP = "Its lamp burns rapeseed oil and is seen from nineteen nautical miles away."
AT = DOCUMENTS["en/lighthouse.md"].index(LAMP)
QUESTIONS = [
    {"id": "lamp", "question": "What does the lamp of the lighthouse burn?",
     "evidence": [{"doc": "en/lighthouse.md", "start": AT, "end": AT + len(LAMP)}]},
    {"id": "bread", "question": "How long does the rye bread rest?", "answers": ["Thirty  hours"]},
    {"id": "zh", "question": "青屿灯塔由谁主持修建？", "docs": ["zh/灯塔.md"]},
    {"id": "wrong", "question": "When does the bakery open?", "answers": ["at midnight"]},
    {"id": "sheet", "question": "How do I fold a fitted sheet?", "answerable": False},
]  # fmt: skip


def lines(*questions: dict[str, object]) -> str:
    return "\n".join(json.dumps(question) for question in questions or QUESTIONS)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("evaluation") / "state")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documents(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def knowledge(settings: Settings, corpus: Path) -> Iterator[Knowledge]:
    with closing(open_knowledge(settings)) as opened:
        opened.ingest([corpus])
        yield opened


Evaluate = Callable[..., Evaluated]


@pytest.fixture
def evaluate(settings: Settings, knowledge: Knowledge) -> Iterator[Evaluate]:
    home = settings.data_dir / "evaluations"

    def run(request: Request, on_progress: Callable[[Progress], None] = lambda progress: None) -> Evaluated:
        return Work(request, settings, knowledge, writer, home).do(on_progress)

    yield run
    assert not home.exists() or list(home.iterdir()) == [], "temporary collections are gone, whatever happened"
    assert knowledge.names() == ["default"]
    assert len(knowledge.documents()) == len(DOCUMENTS)


def writer(engine: str) -> AbstractContextManager[BaseChatModel]:
    reply = AIMessage("Who built the lighthouse of Skarvoy?")
    return nullcontext(GenericFakeChatModel(messages=iter([reply] * 9)))


def test_each_question_is_judged_by_what_it_has(evaluate: Evaluate) -> None:
    run = evaluate(Request(lines(), "q.jsonl")).run
    found = {record.question.id: record for record in run.records}
    assert [found[name].rank for name in ("lamp", "bread", "zh")] == [1, 1, 1]
    assert found["lamp"].recall["recall@1000"] == 1.0
    assert found["lamp"].evidence_text == (LAMP,)
    assert found["wrong"].rank is None
    assert found["wrong"].passages and found["wrong"].passages[0].doc == "en/bakery.txt"
    assert found["sheet"].refused and found["sheet"].rank is None
    assert not found["lamp"].passages, "only where something went wrong"
    assert run.metrics["hit@10"].value == 0.75
    assert run.metrics["refused_unanswerable"].value == 1.0
    assert (run.source, run.documents, run.made, run.name) == ("default", 3, "file", "q.jsonl")
    assert 0.4 < run.border < 0.6
    assert run.ms is not None and run.ms > 0


def test_a_folder_is_read_for_this_alone(evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "heron.md").write_text("The grey heron of pond seven is called Amadeus.\n", encoding="utf-8")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 no more")
    told: list[Progress] = []
    question = {"question": "What is the heron called?", "answers": ["Amadeus"]}
    done = evaluate(Request(lines(question), "q", corpus=tmp_path), told.append)
    assert done.run.metrics["hit@1"].value == 1.0
    assert done.run.source == str(tmp_path)
    assert len(done.failed) == 1 and "broken.pdf" in done.failed[0]
    assert {"reading", "embedding", "searching"} <= {progress.stage for progress in told}
    assert Evaluated.from_dict(json.loads(json.dumps(done.as_dict()))) == done


@pytest.mark.parametrize("place", ["collection", "corpus"])
@pytest.mark.parametrize(("setting", "differs"), [("STRICTNESS=0", True), ("EMBEDDING_MODEL=all-MiniLM-L6-v2", False)])
def test_settings_are_compared_over_the_same_documents(
    evaluate: Evaluate, corpus: Path, place: str, setting: str, differs: bool
) -> None:
    folder = corpus if place == "corpus" else None
    done = evaluate(Request(lines(), "q", corpus=folder, compare=(setting,)))
    assert done.other is not None and done.comparison is not None
    assert done.comparison.common == len(QUESTIONS)
    assert done.other.documents == 3
    assert [record.rank for record in done.other.records] == [record.rank for record in done.run.records]
    refused = [record.refused for record in done.run.records], [record.refused for record in done.other.records]
    assert (refused[0] != refused[1]) is differs
    assert Evaluated.from_dict(json.loads(json.dumps(done.as_dict()))) == done


def test_questions_are_made_where_there_are_none(evaluate: Evaluate) -> None:
    run = evaluate(Request(make=4)).run
    again = evaluate(Request(make=4)).run
    assert run.made == "cloze"
    assert [record.question for record in run.records] == [record.question for record in again.records]
    assert run.answerable == 4 and len(run.records) > 4, "some everyday questions measure refusals"
    assert {record.question.evidence[0].doc.split("/")[0] for record in run.records[:4]} == {"en", "zh"}


def test_an_engine_writes_them_if_it_is_asked_to(evaluate: Evaluate) -> None:
    run = evaluate(Request(make=1, engine="told")).run
    assert run.records[0].question.question == "Who built the lighthouse of Skarvoy?"
    assert run.made == "told"


def test_questions_that_were_made_can_be_asked_again(evaluate: Evaluate) -> None:
    from app.evaluation.questions import dump

    run = evaluate(Request(make=3)).run
    text = dump(run.questions())
    assert [question.question for question in parse(text, "q")] == [item.question.question for item in run.records]
    assert evaluate(Request(text, "q")).run.metrics == run.metrics


@pytest.mark.parametrize("stage", ["embedding", "searching"])
def test_a_cancelled_evaluation_leaves_nothing(evaluate: Evaluate, corpus: Path, stage: str) -> None:
    def stop(progress: Progress) -> None:
        if progress.stage == stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        evaluate(Request(lines(), "q", corpus=corpus), stop)


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        (Request("{", "q"), EvaluationError, "line 1"),
        (Request(lines(), "q", collection="none"), CollectionError, "no collection"),
        (Request(lines(), "q", corpus=Path("/no/such/folder")), DocumentMissing, "/no/such/folder"),
        (Request(lines(), "q", corpus=Path("/")), EvaluationError, "holds the data folder"),
        (Request(lines(), "q", compare=("STRICTNESS=9",)), ConfigError, "STRICTNESS"),
        (Request(make=0), EvaluationError, "too few"),
        (Request(lines({"question": "x?", "docs": ["no.md"]}), "q"), EvaluationError, "no document 'no.md'"),
    ],
)
def test_what_cannot_be_measured_is_told(
    evaluate: Evaluate, request_: Request, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        evaluate(request_)


def test_a_folder_without_documents_or_sentences_is_told(evaluate: Evaluate, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no document that can be read"):
        evaluate(Request(corpus=tmp_path))
    (tmp_path / "list.md").write_text("- one\n- two\n", encoding="utf-8")
    with pytest.raises(EvaluationError, match="no sentence that a question could be made of"):
        evaluate(Request(corpus=tmp_path))
