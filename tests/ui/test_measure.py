from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from app.errors import EvaluationError
from app.evaluation.work import Evaluated
from app.runs import now
from app.schema import EngineStatus
from tests.evaluation.parts import record, run
from tests.ui.stand_in import StandIn, opened
from tests.ui.test_library import told

RUN = run(record(1), record(2, 3), record(3, None), record(4, answerable=False), name=now()[1], STRICTNESS=0.5)
OTHER = run(record(1), record(2, 1), record(3, None), record(4, answerable=False), name=now()[1], STRICTNESS=0.9)


def measure(lang: str = "en") -> AppTest:
    page = AppTest.from_function(_measure, default_timeout=20)
    page.session_state["lang"] = lang
    return page.run()


def _measure() -> None:
    from app.service import current
    from app.ui import measure
    from app.ui.faults import guarded

    with guarded():
        measure.page(current())


def drawn(page: AppTest) -> str:
    """What stands there as HTML."""
    return "\n".join(str(element.proto.body) for element in page.main.get("html"))


def figures(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def test_the_page_is_one_of_the_four(service: StandIn) -> None:
    assert list(opened().session_state["pages"]) == ["chat", "library", "engines", "measure"]


def test_without_documents_it_says_where_to_get_some(service: StandIn) -> None:
    service.stored = {}
    page = measure()
    assert "no documents to ask about" in told(page)
    assert not page.button


def test_questions_are_made_and_what_came_is_shown(service: StandIn) -> None:
    evaluations = service.evaluations
    evaluations.result = Evaluated(RUN)
    page = measure()
    assert "Results" not in told(page)
    page.number_input(key="measure-make").set_value(7)
    page.text_input(key="measure-compare").set_value(" STRICTNESS=0.9  RERANKER_MODEL=a/b ")
    threading.Timer(0.5, evaluations.work.set).start()
    page.button(key="measure-start").click().run()
    (request,) = evaluations.asked
    assert (request.make, request.collection, request.engine, request.questions) == (7, "default", None, None)
    assert request.compare == ("STRICTNESS=0.9", "RERANKER_MODEL=a/b")
    assert "Measured." in told(page)
    assert figures(page) == {
        "Found first": "0.333", "Found in the first 5": "0.667", "MRR@10": "0.444",
        "Recall in 2,000 characters": "0.667", "Answerable, but refused": "0.000", "Unanswerable, and refused": "0.000",
    }  # fmt: skip
    assert drawn(page).count("data:image/svg+xml") == 3
    assert "What does lamp 3 burn?" in drawn(page) and "lamp burns rapeseed oil" in drawn(page)
    assert "青屿灯塔由林海生主持修建。" in drawn(page), "what was found instead"


def test_an_engine_that_is_ready_can_write_them(service: StandIn) -> None:
    service.switched_to(EngineStatus("ollama", True, "tiny"))
    service.evaluations.work.set()
    service.evaluations.result = Evaluated(RUN)
    page = measure()
    writer = page.selectbox(key="measure-writer")
    if "ollama" not in writer.options:  # the look at the engines may be a moment old
        page.run()
        writer = page.selectbox(key="measure-writer")
    assert writer.options == ["No engine: sentences with a gap", "ollama"]
    writer.set_value("ollama").run()
    page.button(key="measure-start").click().run()
    assert service.evaluations.asked[0].engine == "ollama"


def test_a_file_of_questions_is_asked(service: StandIn) -> None:
    service.evaluations.work.set()
    service.evaluations.result = Evaluated(RUN)
    page = measure()
    page.segmented_control(key="measure-source").set_value("file").run()
    page.button(key="measure-start").click().run()
    assert "Choose a file of questions first." in told(page)
    page.file_uploader(key="measure-file").upload("mine.jsonl", "\ufeff{…}".encode(), "application/jsonl").run()
    page.button(key="measure-start").click().run()
    assert (service.evaluations.asked[0].file, service.evaluations.asked[0].questions) == ("mine.jsonl", "{…}")
    page.file_uploader(key="measure-file").upload("latin.jsonl", b"\xe9", "application/jsonl").run()
    page.button(key="measure-start").click().run()
    assert "latin.jsonl is not UTF-8" in told(page).replace("\\", "")


def test_questions_of_an_earlier_run_are_asked_again(service: StandIn) -> None:
    service.evaluations.runs.keep(RUN)
    service.evaluations.work.set()
    service.evaluations.result = Evaluated(OTHER)
    page = measure()
    page.segmented_control(key="measure-source").set_value("before").run()
    page.button(key="measure-start").click().run()
    (request,) = service.evaluations.asked
    assert request.file == "q.jsonl"
    assert request.questions is not None and request.questions.count("\n") == 4


def test_a_bad_question_is_told_and_a_cancelled_job_says_so(service: StandIn) -> None:
    service.evaluations.error = EvaluationError("q.jsonl, line 3 is no JSON.", "Write one object a line.")
    service.evaluations.work.set()
    page = measure()
    page.button(key="measure-start").click().run()
    assert "q.jsonl, line 3 is no JSON." in told(page).replace("\\", "")
    service.evaluations.work.clear()
    job = service.evaluations.start("other", service.evaluations.asked[0])
    job.cancel()
    assert job.wait(5)
    assert "Cancelled. Nothing was kept" in told(measure())


@pytest.mark.parametrize(
    ("lang", "words", "verdict"),
    [("en", "Found earlier (1)", "chance alone may"), ("zh", "排名提前的问题（1）", "可能只是偶然")],
)
def test_two_runs_stand_side_by_side(service: StandIn, lang: str, words: str, verdict: str) -> None:
    service.evaluations.runs.keep(RUN)
    service.evaluations.runs.keep(OTHER)
    page = measure(lang)
    page.selectbox(key="measure-run").set_value(RUN.id).run()
    page.selectbox(key="measure-with").set_value(OTHER.id).run()
    assert verdict in told(page)
    assert "STRICTNESS=0.9" in drawn(page) and words in drawn(page)
    assert page.metric[0].delta == "+0.333"
    page.button(key="measure-remove").click().run()
    assert service.evaluations.runs.ids() == [OTHER.id]
    assert page.selectbox(key="measure-run").value == OTHER.id


def test_what_documents_say_stays_text(service: StandIn) -> None:
    evil = "<script>alert(1)</script> **bold**"
    bad = replace(RUN.records[2], evidence_text=(evil,), question=replace(RUN.records[2].question, question=evil))
    service.evaluations.runs.keep(replace(RUN, records=(bad,), source=evil))
    page = measure()
    assert "<script" not in drawn(page) and "&lt;script&gt;" in drawn(page)
    assert "<script" not in told(page).replace("\\<", "")
