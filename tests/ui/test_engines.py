"""What the page of the engines does, on a stand-in for the service; looks and clicks in a browser: tests/browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from app.errors import HotswapError, ModelMissing
from app.schema import EngineStatus, Progress
from app.ui.engine_jobs import bar, stage
from app.ui.engine_states import EngineStates, answering
from tests.engines import servers
from tests.ui.stand_in import StandIn


def told(page: AppTest) -> str:
    kinds = (page.main.markdown, page.main.caption, page.main.error, page.main.info, page.main.warning)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def engines(lang: str = "en") -> AppTest:
    """AppTest knows no navigation between functions: the page is called as main.py calls it."""
    test = AppTest.from_function(_engines, default_timeout=20)
    test.session_state["lang"] = lang
    return test.run()


def _engines() -> None:
    from app.service import current
    from app.ui import engines
    from app.ui.faults import guarded

    with guarded():
        engines.page(current())


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def finish_soon(service: StandIn) -> None:
    """Let the work end while the page watches it."""
    threading.Timer(0.7, service.work.set).start()


READY = EngineStatus("ollama", True, "qwen3:4b", "qwen3:4b at http://127.0.0.1:11434")


def test_every_engine_says_what_it_is_and_why_it_is_not_ready(service: StandIn) -> None:
    text = told(engines())
    for name in ("auto", "vllm\\_openai", "vllm", "ollama", "hf", "extractive"):
        assert f"#### {name} " in text
    assert "Ollama is not running" in text and "Start it" in text
    assert text.count("not ready") == 4
    assert text.count("answers now") == 1
    assert "extractive answers." in text


def test_the_page_speaks_chinese(service: StandIn) -> None:
    text = told(engines("zh"))
    assert "不用模型" in text and "未就绪" in text and "已选定" in text
    assert "not ready" not in text


def test_the_one_that_answers_shows_its_model_and_how_many_answers_it_writes(service: StandIn) -> None:
    service.switched_to(READY)
    service.switch.wanted = "auto"
    service.switch.reading = {"ollama": 2}
    text = told(engines())
    assert "qwen3\\:4b at http" in text
    assert "answers being written: 2" in text
    assert "ollama answers." in text


def test_an_engine_that_was_chosen_but_cannot_answer_says_so(service: StandIn) -> None:
    service.switch.wanted = "vllm"
    page = engines()
    assert any(str(title.value).startswith("#### vllm ") and "chosen" in str(title.value) for title in page.markdown)
    assert not page.button(key="switch-auto").disabled
    assert not page.button(key="switch-vllm").disabled


def test_there_is_no_switch_to_what_answers_already(service: StandIn) -> None:
    assert engines().button(key="switch-auto").disabled
    service.switch.wanted = "extractive"
    assert engines().button(key="switch-extractive").disabled
    service.switched_to(EngineStatus("hf", True, "tiny"))
    page = engines()
    assert page.button(key="switch-hf").disabled
    page.text_input(key="model-hf").set_value("another").run()
    assert not page.button(key="switch-hf").disabled


def test_a_switch_is_watched_to_its_end(service: StandIn) -> None:
    page = engines()
    finish_soon(service)
    page.button(key="switch-ollama").click().run()
    assert service.switched == [("ollama", None)]
    assert "Switched to ollama." in told(page)


def test_a_switch_can_name_another_model(service: StandIn) -> None:
    page = engines()
    service.work.set()
    page.text_input(key="model-hf").set_value(" /models/tiny ").run()
    page.button(key="switch-hf").click().run()
    assert service.switched == [("hf", "/models/tiny")]
    assert "Switched to hf · /models/tiny." in told(page)
    assert not page.text_input(key="model-hf").value


def test_a_switch_that_fails_says_why_and_who_answers(service: StandIn) -> None:
    service.engine_error = ModelMissing("There is no model nope.", "Fetch it.")
    page = engines()
    finish_soon(service)
    page.button(key="switch-ollama").click().run()
    assert [str(error.value) for error in page.error] == ["**There is no model nope.**  \nFetch it."]
    job = service.engine_jobs()[0]
    box = [str(caption.value) for caption in page.caption]
    assert box.count("extractive answers.") == 2  # as `auto` says, and below the reason
    page.button(key=f"dismiss-{job.id}").click().run()
    assert not page.error


def test_a_switch_is_cancelled(service: StandIn) -> None:
    page = engines()
    job = service.start_switch("hf")
    until(lambda: job.state == "running")
    threading.Timer(0.7, job.cancel).start()
    page.run()
    assert "Cancelled. extractive answers." in told(page)
    assert service.switched == []


def test_an_older_switch_is_told_no_more_once_another_engine_was_chosen(service: StandIn) -> None:
    service.work.set()
    for name in ("ollama", "extractive"):
        assert service.start_switch(name).wait(5)
    text = told(engines())
    assert "Switched to extractive." in text
    assert "Switched to ollama." not in text


def test_work_that_goes_on_is_shown_with_a_way_to_stop_it_and_the_page_stays_usable(service: StandIn) -> None:
    service.steps = (Progress("pulling", 50, 200, "qwen3:4b", "pulling layer"),)
    job = service.start_pull("qwen3:4b")
    until(lambda: job.progress.stage == "pulling")
    test = AppTest.from_function(_engines, default_timeout=1.5)
    with pytest.raises(RuntimeError, match="timed out"):  # it goes on as long as the work does
        test.run()
    service.work.set()
    page = engines()
    assert "Downloaded." in told(page)
    page.button(key=f"use-{job.id}").click().run()
    assert service.switched == [("ollama", "qwen3:4b")]


def test_a_download_needs_a_name(service: StandIn) -> None:
    page = engines()
    service.work.set()
    page.button(key="pull").click().run()
    assert service.engine_jobs() == []
    page.text_input(key="pull-model").set_value("qwen3:4b").run()
    page.button(key="pull").click().run()
    assert [job.title for job in service.engine_jobs()] == ["qwen3:4b"]
    assert "Downloaded." in told(page)


def test_a_download_that_fails_or_is_cancelled_says_so(service: StandIn) -> None:
    service.engine_error = HotswapError("The disk is full.", "Make room.")
    service.work.set()
    assert service.start_pull("one").wait(5)
    service.work.clear()
    cancelled = service.start_pull("two")
    cancelled.cancel()
    assert cancelled.wait(5)
    text = told(engines())
    assert "The disk is full." in text.replace("\\", "")
    assert "What was downloaded is kept" in text


def test_the_memory_is_estimated_before_anything_is_loaded(service: StandIn) -> None:
    service.switch.needs = {"hf": 3 * 10**9, "large": 15 * 10**9, "huge": 30 * 10**9}
    service.switch.engines = {}  # looked at anew
    page = engines()
    assert "Needs about 3.0 GB" in told(page)
    page.text_input(key="model-hf").set_value("large").run()
    assert "Needs about 15.0 GB" in told(page)
    assert "closes that first" in told(page)
    page.text_input(key="model-hf").set_value("huge").run()
    assert "does not fit this machine" in told(page)
    page.text_input(key="model-hf").set_value("").run()
    assert "closes that first" not in told(page)


def test_what_a_command_has_loaded_is_shown_too(service: StandIn) -> None:
    service.switch.progress = Progress("loading", item="hf", detail="weights")
    assert "Loading hf · weights" in told(engines())


def test_the_models_of_ollama_are_offered(service: StandIn) -> None:
    with servers.Server(servers.recorded("tags")) as there:
        service.settings = service.settings.model_copy(update={"ollama_base_url": there.url})
        service.switch.engines = {}
        page = engines()
        offered = page.selectbox(key="model-ollama").options
        assert len(offered) > 1
        service.work.set()
        page.selectbox(key="model-ollama").set_value(offered[1]).run()
        page.button(key="switch-ollama").click().run()
    assert service.switched == [("ollama", offered[1])]


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress("waiting"), "waiting for the work before it"),
        (Progress("starting"), "starting"),
        (Progress("checking", item="hf"), "Checking hf"),
        (Progress("loading", item="hf", detail="weights"), "Loading hf · weights"),
        (Progress("draining", done=2, item="hf"), "Waiting for 2 answers of hf to end"),
        (Progress("closing", item="hf"), "Closing hf"),
        (Progress("pulling", 0, 0, "q", "manifest"), "Downloading q · manifest"),
        (Progress("pulling", 50_000_000, 200_000_000, "q"), "Downloading q · 50 MB / 200 MB · 25%"),
        (Progress("never heard of", item="hf"), "starting"),
    ],
)
def test_every_stage_has_its_words(progress: Progress, words: str) -> None:
    assert stage(progress) == words


def test_only_a_download_can_be_measured(service: StandIn) -> None:
    service.steps = (Progress("pulling", 50, 200, "q"),)
    job = service.start_pull("q")
    until(lambda: job.progress.stage == "pulling")
    assert bar(job).share == 0.25
    service.steps = (Progress("draining", 3, 0, "q"),)
    service.work.set()
    assert job.wait(5)
    job.progress = Progress("draining", 3, 0, "q")
    assert bar(job).share is None


def test_who_answers_is_the_one_wanted_else_the_first_that_is_ready() -> None:
    states = (EngineStatus("extractive", True), READY, EngineStatus("vllm", False))
    assert answering(states, "auto") == READY
    assert answering(states, "extractive") == EngineStatus("extractive", True)
    assert answering(states, "vllm") == READY
    assert answering((EngineStatus("vllm", False),), "vllm") is None


def test_what_was_known_before_a_switch_is_known_no_more(service: StandIn) -> None:
    states = EngineStates()
    states.look_now(service)  # type: ignore[arg-type]
    assert states.known(service) is not None  # type: ignore[arg-type]
    service.switched_to(READY)
    look = states.known(service, patience=5)  # type: ignore[arg-type]
    assert look is not None and READY in look.states


def test_a_look_of_long_ago_is_renewed_before_it_is_told(service: StandIn) -> None:
    states = EngineStates()
    states.look_now(service)  # type: ignore[arg-type]
    service.states = [READY]
    look = states.known(service, patience=5)  # type: ignore[arg-type]
    assert look is not None and look.states != (READY,)  # it was a moment ago
    states._at -= 60
    look = states.known(service, patience=5)  # type: ignore[arg-type]
    assert look is not None and look.states == (READY,)
