from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from app.benchmark.comparisons.request import CompareRequest, TuneRequest
from app.benchmark.prompts import PromptSource
from app.benchmark.reporting.runs import Report
from app.engines.registry import MAKE_ROOM
from app.errors import BenchmarkError
from app.runs import now
from app.schema import EngineStatus
from app.ui.bench_jobs import Pace
from app.ui.engine_states import EngineStates
from tests.benchmark.reports import arrival_report, compare_report, load_report, tune_report
from tests.ui.stand_in import StandIn, opened
from tests.ui.test_library import told as written
from tests.ui.test_measure import drawn, measure

HF, OLLAMA = EngineStatus("hf", True, "tiny"), EngineStatus("ollama", True, "qwen3:8b")


@pytest.fixture
def ready(service: StandIn) -> StandIn:
    """Two engines with models, and a comparison that ends at once."""
    service.switched_to(HF)
    service.switched_to(OLLAMA)
    service.benchmarks.result = compare_report()
    service.benchmarks.work.set()
    return service


def told(page: AppTest) -> str:
    """Without what keeps Markdown from reading the words of others."""
    return written(page).replace("\\", "")


def engines(lang: str = "en") -> AppTest:
    """The view of the engines, with all that is looked up in the background."""
    page = linked(lang)
    page.segmented_control(key="measure-view").set_value("engines").run()
    return page.run()


def linked(lang: str = "en") -> AppTest:
    """The page with something to lead to: AppTest knows no navigation between functions."""
    page = measure(lang)
    page.session_state["pages"] = {name: f"http://localhost/{name}" for name in ("chat", "engines")}
    return page


def keep(service: StandIn, *reports: Report) -> list[str]:
    """As runs of now, the first one the oldest."""
    kept = [replace(report, id=now()[1]) for report in reports]
    for report in kept:
        service.benchmarks.runs.keep(report)
    return [report.id for report in kept]


def test_the_view_is_in_the_address_and_comes_back_with_it(service: StandIn) -> None:
    page = opened()
    assert "view" not in page.query_params
    page = engines()
    assert page.query_params["view"] == "engines"
    assert "Which engine is the fastest" in told(page)
    page.segmented_control(key="measure-view").set_value("search").run()
    assert "view" not in page.query_params
    assert "How often does search find" in told(page)


@pytest.mark.parametrize("view", ["search", "engines", "votes", "nonsense"])
def test_an_address_opens_its_view(service: StandIn, view: str) -> None:
    page = opened(view=view)
    assert page.session_state["view"] == view
    page = linked()
    page.session_state["view"] = view
    page.run()
    assert page.segmented_control(key="measure-view").value == ("search" if view == "nonsense" else view)


def test_where_nothing_can_be_measured_it_says_why_and_what_to_do(service: StandIn) -> None:
    page = engines()
    assert "*extractive* has none; it only quotes" in told(page)
    assert not page.button


def test_before_the_first_look_at_the_engines_has_ended_it_says_so(
    service: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = linked()
    monkeypatch.setattr(EngineStates, "known", lambda states, service, patience=0.0: None)
    page.segmented_control(key="measure-view").set_value("engines").run()
    assert "Looking which engines are ready" in told(page)


def test_engines_are_compared_and_the_result_is_shown(ready: StandIn) -> None:
    ready.benchmarks.work.clear()
    page = engines()
    assert page.multiselect(key="bench-engines").options == ["ollama · qwen3:8b", "hf · tiny"]
    page.segmented_control(key="bench-source").set_value("synthetic").run()
    page.number_input(key="bench-prompt-tokens").set_value(200)
    page.button_group(key="bench-readers-compare").set_value([8, 1])
    page.button_group(key="bench-turns-compare").set_value([1])
    page.number_input(key="bench-max-tokens").set_value(16)
    page.number_input(key="bench-repeats").set_value(2)
    threading.Timer(0.5, ready.benchmarks.work.set).start()
    page.button(key="bench-start").click().run()
    (request,) = ready.benchmarks.asked
    assert request == CompareRequest(
        ("ollama", "hf"), readers=(1, 8), turns=(1,), repeats=2, max_tokens=16, prompts=PromptSource(tokens=200),
        id=request.id,
    )  # fmt: skip
    assert page.selectbox(key="bench-run").value == request.id
    assert "Measured." in told(page) and "Use vllm: with 32 readers" in told(page)
    assert "LLM_ENGINE=vllm" in [code.value for code in page.code]
    assert drawn(page).count("data:image/svg+xml") == 7
    assert "1.79 ×" in drawn(page) and "Nobody answers at http://127.0.0.1:8002/v1." in drawn(page)


def test_prompts_come_from_documents_from_a_file_or_from_a_file_about_documents(ready: StandIn) -> None:
    page = engines()
    page.button(key="bench-start").click().run()
    assert ready.benchmarks.asked[0].prompts == PromptSource("collection", collection="default")
    page.segmented_control(key="bench-source").set_value("file").run()
    page.button(key="bench-start").click().run()
    assert "Choose a file of prompts first." in told(page)
    page.file_uploader(key="bench-file").upload("我的.txt", "\ufeff谁建了灯塔？".encode(), "text/plain").run()
    page.button(key="bench-start").click().run()
    assert ready.benchmarks.asked[1].prompts == PromptSource("prompts", text="谁建了灯塔？", file="我的.txt")
    page.selectbox(key="bench-over").set_value("default").run()
    page.button(key="bench-start").click().run()
    assert ready.benchmarks.asked[2].prompts.kind == "questions"
    assert ready.benchmarks.asked[2].prompts.collection == "default"
    page.file_uploader(key="bench-file").upload("latin.txt", b"\xe9", "text/plain").run()
    page.button(key="bench-start").click().run()
    assert "latin.txt is not UTF-8" in told(page)
    assert len(ready.benchmarks.asked) == 3


def test_without_documents_prompts_are_made_up(ready: StandIn) -> None:
    ready.stored = {}
    page = engines()
    assert page.segmented_control(key="bench-source").options == ["From a file", "Made-up text"]
    page.button(key="bench-start").click().run()
    assert ready.benchmarks.asked[0].prompts == PromptSource()


def test_what_cannot_be_compared_is_said_before_anything_is_begun(ready: StandIn) -> None:
    page = engines()
    page.multiselect(key="bench-engines").set_value(["hf"]).run()
    page.button(key="bench-start").click().run()
    assert "Choose two engines at least." in told(page)
    page.multiselect(key="bench-engines").set_value(["hf", "ollama"]).run()
    page.button_group(key="bench-readers-compare").set_value([]).run()
    page.button(key="bench-start").click().run()
    assert "Choose how many readers ask" in told(page)
    assert not ready.benchmarks.asked


def test_one_ready_engine_can_be_tuned_with_a_draft(service: StandIn) -> None:
    service.switched_to(HF)
    service.benchmarks.result = tune_report()
    service.benchmarks.work.set()
    page = engines()
    assert "only hf is ready" in told(page)
    page.segmented_control(key="bench-kind").set_value("tune").run()
    page.button(key="bench-start").click().run()
    (request,) = service.benchmarks.asked
    assert request == TuneRequest("hf", prompts=PromptSource("collection", collection="default"), id=request.id)
    assert "Tune hf" in told(page) and "Set n-gram speculation" in told(page)
    assert "VLLM_CONFIG=" in page.code[0].value
    assert not [button for button in page.button if button.key == "bench-use"], "settings are set by hand"


def test_an_engine_that_only_lacks_room_beside_another_is_offered(service: StandIn) -> None:
    service.switched_to(HF)
    service.switched_to(EngineStatus("vllm", False, "large", "It does not fit.", MAKE_ROOM))
    assert engines().multiselect(key="bench-engines").options == ["vllm · large", "hf · tiny"]


def test_who_cancels_keeps_what_was_measured(ready: StandIn) -> None:
    ready.benchmarks.work.clear()
    page = engines()
    threading.Timer(0.7, lambda: ready.benchmarks.jobs()[0].cancel()).start()
    page.button(key="bench-start").click().run()
    assert "Cancelled. Whatever had been measured until then is among the results." in told(page)
    assert page.selectbox(key="bench-run").value == ready.benchmarks.asked[0].id
    assert "interrupted" in page.selectbox(key="bench-run").options[0]
    assert "Interrupted: this is what was measured until then." in told(page)


def test_an_error_is_told_in_a_line(ready: StandIn) -> None:
    ready.benchmarks.error = BenchmarkError("Line 3 of mine.txt begins like JSON and is none.", "Write text.")
    page = engines("zh")
    page.button(key="bench-start").click().run()
    assert "Line 3 of mine.txt" in told(page)


def test_the_advised_engine_is_switched_to_with_the_model_that_was_measured(ready: StandIn) -> None:
    advised = replace(compare_report().advice, apply={"LLM_ENGINE": "vllm", "VLLM_MODEL_PATH": "/models/other"})
    keep(ready, compare_report(advice=advised))
    ready.work.set()
    page = engines()
    page.button(key="bench-use").click().run()
    assert ready.switched == [("vllm", "/models/other")]
    assert "Switched to vllm" in told(page)


@pytest.mark.parametrize(
    ("report", "english", "chinese"),
    [
        (load_report(), "Load test", "负载测试"),
        (arrival_report(), "Over-saturated", "过饱和"),
        (compare_report(), "Engines compared", "引擎对比"),
        (tune_report(interrupted=True), "Interrupted", "中断"),
    ],
)
def test_runs_of_every_kind_are_shown_in_both_languages(
    ready: StandIn, report: Report, english: str, chinese: str
) -> None:
    keep(ready, report)
    for lang, words in (("en", english), ("zh", chinese)):
        page = engines(lang)
        assert words in told(page) + "".join(page.selectbox(key="bench-run").options)
        assert "data:image/svg+xml" in drawn(page) and "<table>" in drawn(page)
        assert len(page.metric) == (6 if report.kind in ("load", "arrival") else 0)


def test_runs_are_followed_over_time_and_forgotten(ready: StandIn) -> None:
    faster = replace(
        compare_report(),
        cells=tuple(replace(cell, tokens_per_second=tuple(2 * one for one in cell.tokens_per_second))
                    for cell in compare_report().cells),
    )  # fmt: skip
    other, first, second = keep(ready, load_report(), compare_report(), faster)
    page = engines()
    assert page.selectbox(key="bench-run").value == second
    followed = page.multiselect[-1]
    assert followed.value == [second, first] and len(followed.options) == 2
    assert "+100.0 %" in drawn(page)
    followed.set_value([second]).run()
    assert "Choose two at least." in told(page)
    page.button(key="bench-remove").click().run()
    assert ready.benchmarks.runs.ids() == [first, other]
    assert page.selectbox(key="bench-run").value == first
    assert "Over time" not in told(page)


def test_what_others_wrote_stays_text(ready: StandIn) -> None:
    evil = "<script>alert(1)</script> **bold**"
    report = compare_report()
    first = replace(report.contestants[0], label=evil, notes=(evil,), model=evil)
    cells = tuple(replace(cell, label=evil) if cell.label == "hf" else cell for cell in report.cells)
    advice = replace(report.advice, label=evil)
    contestants = (first, *report.contestants[1:])
    keep(ready, replace(report, contestants=contestants, cells=cells, notes=(evil,), advice=advice))
    page = engines()
    assert "<script" not in drawn(page) and "&lt;script&gt;" in drawn(page)
    words = written(page) + page.button(key="bench-use").label
    assert "<script" not in words.replace("\\<", "") and "**bold**" not in words


def test_the_pace_is_that_of_the_rounds_before() -> None:
    pace = Pace(100.0, 2)
    assert pace.left(2, 10, 105.0) is None
    assert pace.left(4, 10, 120.0) == 60.0  # ten seconds each, six to come
    assert pace.left(4, 10, 127.0) == 53.0
    assert pace.left(10, 10, 300.0) == 0.0
