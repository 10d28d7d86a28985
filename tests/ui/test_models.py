"""What the section of the models does, on a stand-in for the service; looks and clicks in a browser: tests/browser."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.errors import HotswapError, ModelGated, SourceUnavailable, UsageError
from app.inventory import ModelHere, Verdict
from app.models import Fetched, FetchRequest, Fit, Memory, MemoryNeed
from app.models.recommended import Recommended
from app.schema import EngineStatus, Progress
from app.ui.model_fetches import words
from app.ui.model_picks import picks
from app.ui.model_states import ModelStates
from tests.ui.stand_in import StandIn
from tests.ui.test_engines import engines, told, until

GPU = Memory("cuda", "NVIDIA H200", 140 * 10**9, 141 * 10**9)
CPU = Memory("cpu", "this machine", 20 * 10**9, 32 * 10**9)
TOKEN = "hf_" + "secret"


def tiny(folder: Path, **other: object) -> ModelHere:
    need = MemoryNeed(8 * 10**9, 10**9, 10**9)
    whole = {
        "name": "org/tiny", "path": folder / "models" / "org" / "tiny", "place": "fetched", "kind": "chat",
        "size": 8 * 10**9, "dtype": "bfloat16", "parameters": 4 * 10**9, "fits": (Fit(need, CPU, True),),
        "engines": (Verdict("vllm", False, "vLLM is not installed."), Verdict("hf", True, "to be loaded")),
    }  # fmt: skip
    return ModelHere(**{**whole, **other})  # type: ignore[arg-type]


@pytest.fixture
def here(service: StandIn) -> ModelHere:
    """A chat model that is on this machine."""
    model = tiny(service.settings.data_dir)
    service.models.models.append(model)
    return model


def fill(page: AppTest, **fields: str) -> AppTest:
    """The form, sent."""
    for name, value in fields.items():
        page.text_input(key=f"fetch-{name}").set_value(value)
    return page.button(key="fetch").click().run()


def kept(page: AppTest) -> str:
    """All that the session remembers."""
    return str(page.session_state._state.filtered_state)


def test_a_newcomer_sees_models_that_fit_and_fetches_one_with_a_click(service: StandIn) -> None:
    page = engines()
    service.models.work.set()
    offered = [button for button in page.button if str(button.key).startswith("fetch-")]
    assert len(offered) >= 4
    assert "These fit this machine" in str([box.label for box in page.expander])
    assert "needs about" in told(page)
    offered[0].click().run()
    assert [request.name for request in service.models.asked] == [str(offered[0].key).removeprefix("fetch-")]


def test_what_the_form_says_is_asked_for(service: StandIn) -> None:
    page = engines()
    service.models.work.set()
    assert not service.models.asked and not fill(page, name="  ").error and not service.models.asked
    page.selectbox(key="fetch-kind").set_value("embedding")
    fill(page, name=" org/e ", revision="v2", token=TOKEN, include="*.json, *.safetensors", exclude="a/*")
    assert service.models.asked == [
        FetchRequest(
            "org/e", revision="v2", token=TOKEN, include=("*.json", "*.safetensors"), exclude=("a/*",), kind="embedding"
        )
    ]


def test_a_token_stays_nowhere_on_the_page(service: StandIn) -> None:
    page = engines()
    service.models.error = SourceUnavailable("The source does not answer.", "Try later.")
    service.models.work.set()
    fill(page, name="org/tiny", token=TOKEN)
    job = service.models.jobs()[0]
    assert TOKEN not in kept(page) + told(page) + job.title
    assert not page.text_input(key="fetch-token").value
    page.text_input(key=f"again-token-{job.id}").set_value(TOKEN)
    page.button(key=f"again-{job.id}").click().run()
    assert [request.token for request in service.models.asked] == [TOKEN, TOKEN]
    assert TOKEN not in kept(page)


@pytest.mark.parametrize(("choice", "source"), [("hf", ""), ("modelscope", "modelscope"), ("hf-mirror", "hf-mirror")])
def test_it_comes_from_the_source_that_was_chosen(service: StandIn, choice: str, source: str) -> None:
    page = engines()
    service.models.work.set()
    page.segmented_control(key="fetch-source").set_value(choice).run()
    fill(page, name="org/tiny")
    assert service.models.asked[-1].source == source


def test_a_mirror_is_named_by_its_address(service: StandIn) -> None:
    page = engines()
    service.models.work.set()
    page.segmented_control(key="fetch-source").set_value("other").run()
    page.text_input(key="fetch-address").set_value("https://mirror.example").run()
    fill(page, name="org/tiny")
    assert service.models.asked[-1].source == "https://mirror.example"


def test_offline_takes_what_is_on_this_disk_and_says_so(service: StandIn) -> None:
    service.settings = service.settings.model_copy(update={"offline": True})
    service.models.work.set()
    page = engines("zh")
    assert "已设置 OFFLINE" in told(page)
    assert "fetch-source" not in [control.key for control in page.segmented_control]
    assert not [box for box in page.text_input if box.key == "fetch-token"]
    assert not [button for button in page.button if str(button.key).startswith("fetch-") and button.key != "fetch"]
    fill(page, name="/models/tiny")
    assert service.models.asked == [FetchRequest("/models/tiny")]


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (
            Progress("fetching", 4_100_000_000, 16_400_000_000, "q", "3/12", 52_000_000.0),
            "4.1 GB / 16.4 GB · 25% · 52 MB/s · 3:57 left · 3/12 files",
        ),
        (Progress("fetching", 5_000, 0, "q"), "5.0 KB"),
        (Progress("checking", 2, 12, "q"), "comparing files: 2 of 12"),
        (Progress("starting"), "asking the source"),
        (Progress("waiting"), "waiting for the work before it"),
        (Progress("never heard of"), "starting"),
    ],
)
def test_how_far_a_fetch_is(service: StandIn, progress: Progress, text: str) -> None:
    assert words(progress) == text


def test_a_chat_model_that_came_is_used_with_a_click(service: StandIn) -> None:
    service.models.arrives = [tiny(service.settings.data_dir)]
    page = engines()
    threading.Timer(0.5, service.models.work.set).start()
    fill(page, name="org/tiny")
    assert "Whole and verified. 12 KB came" in told(page)
    assert "VLLM_MODEL_PATH: org/tiny" in [code.value for code in page.code]
    service.work.set()
    page.button(key=f"use-{service.models.jobs()[0].id}").click().run()
    assert service.switched == [("hf", "org/tiny")]


def test_an_embedding_model_that_came_says_which_line_uses_it(service: StandIn) -> None:
    service.models.fetched = Fetched(
        "org/e", service.settings.data_dir / "e", "embedding", "EMBEDDING_MODEL", "org/e", notes=("Ä.",)
    )
    service.models.work.set()
    page = fill(engines(), name="org/e")
    assert "indexed anew" in told(page) and "Ä" in told(page) and "Nothing had to be fetched" in told(page)
    assert "EMBEDDING_MODEL: org/e" in [code.value for code in page.code]
    assert not [button for button in page.button if str(button.key).startswith("use-")]


def test_files_that_make_no_model_are_set_nowhere(service: StandIn) -> None:
    service.models.fetched = Fetched("org/e", service.settings.data_dir / "e", "chat", "", "org/e", 1)
    service.models.work.set()
    assert not fill(engines(), name="org/e", include="*.json").code


def test_a_cancelled_fetch_goes_on_with_the_same_request(service: StandIn) -> None:
    page = engines()
    threading.Timer(0.5, lambda: service.models.jobs()[0].cancel()).start()
    fill(page, name="org/tiny", revision="v2")
    assert "Cancelled. What came is kept." in told(page)
    service.models.work.set()
    page.button(key=f"again-{service.models.jobs()[0].id}").click().run()
    assert service.models.asked == [FetchRequest("org/tiny", revision="v2")] * 2
    assert "Cancelled" not in told(page)


def test_a_failed_fetch_says_why_in_the_readers_language(service: StandIn) -> None:
    service.models.error = SourceUnavailable("The hub broke off.", "Run it again.")
    service.models.work.set()
    page = fill(engines("zh"), name="org/tiny")
    assert [str(error.value) for error in page.error] == [
        "**下载来源没有响应，或者连接中断了。**  \nThe hub broke off.  \nRun it again."
    ]
    assert "已下载的部分会保留" in told(page)


def test_only_the_last_fetch_of_a_model_is_told_and_none_of_one_that_is_gone(service: StandIn) -> None:
    service.models.work.set()
    service.models.error = SourceUnavailable("The hub broke off.", "Run it again.")
    fill(engines(), name="org/tiny")
    service.models.error = None
    page = fill(engines(), name="org/tiny")
    assert not page.error and "Whole and verified" in told(page)
    service.models.fetched.folder.rmdir()
    assert "Whole and verified" not in told(engines())


def test_a_gated_model_asks_for_the_token_there(service: StandIn) -> None:
    service.models.error = ModelGated("It is gated.", "Pass a token.")
    service.models.step = Progress("starting")
    service.models.work.set()
    page = fill(engines(), name="org/gated")
    job = service.models.jobs()[0]
    assert page.button(key=f"again-{job.id}").label == "Try again"
    page.text_input(key=f"again-token-{job.id}").set_value(TOKEN)
    page.button(key=f"again-{job.id}").click().run()
    assert [request.token for request in service.models.asked] == ["", TOKEN]


def test_a_model_says_what_it_is_whether_it_fits_and_who_runs_it(service: StandIn, here: ModelHere) -> None:
    text = told(engines()).replace("\\", "")
    assert "**org/tiny** :gray-badge[Chat]" in text
    assert "8.0 GB · 4 B · bfloat16 · " in text
    assert "Needs about 10.0 GB" in text
    assert "vllm: vLLM is not installed." in text and "hf: to be loaded" in text


def test_a_model_that_is_not_whole_says_why_and_is_finished_from_the_list(service: StandIn) -> None:
    service.models.models = [
        tiny(service.settings.data_dir, kind=None, problem="A shard is missing.", hint="Fetch it.", fits=(), engines=())
    ]
    page = engines()
    assert "not whole" in told(page) and "A shard is missing. Fetch it." in told(page).replace("\\", "")
    assert not [button for button in page.button if button.key == "use-fetched-org/tiny"]
    service.models.work.set()
    page.button(key="finish-fetched-org/tiny").click().run()
    assert service.models.asked == [FetchRequest("org/tiny")]


def test_a_model_is_used_and_a_failure_is_told_beside_it(service: StandIn, here: ModelHere) -> None:
    service.engine_error = HotswapError("It does not fit.", "Take a smaller one.")
    service.work.set()
    page = engines()
    page.button(key="use-fetched-org/tiny").click().run()
    assert [str(error.value) for error in page.error].count("**It does not fit.**  \nTake a smaller one.") == 2
    service.engine_error = None
    page.button(key="use-fetched-org/tiny").click().run()
    assert service.switched == [("hf", "org/tiny")]


def test_the_model_that_answers_is_not_removed(service: StandIn, here: ModelHere) -> None:
    service.switched_to(EngineStatus("hf", True, "org/tiny"))
    page = engines()
    assert page.button(key="remove-fetched-org/tiny").disabled
    assert not [button for button in page.button if button.key == "use-fetched-org/tiny"]


def test_a_model_is_removed_after_one_more_question(service: StandIn, here: ModelHere) -> None:
    page = engines()
    page.button(key="remove-fetched-org/tiny").click().run()
    assert "Delete **org/tiny** with all its files (8.0 GB)" in told(page).replace("\\", "")
    page.button(key="confirm-model-keep").click().run()
    assert not service.models.removed and "Delete" not in told(page)
    page.button(key="remove-fetched-org/tiny").click().run()
    page.button(key="confirm-model-remove").click().run()
    assert service.models.removed == [str(here.path)]
    assert "**org" not in told(page)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"place": "registered"}, "Take **org/tiny** off this list? Its files stay at"),
        ({"place": "cache"}, "other programs may use it too"),
        ({"set_as": ("VLLM_MODEL_PATH",)}, "VLLM_MODEL_PATH still names it"),
    ],
)
def test_the_question_says_what_will_be_gone(service: StandIn, changes: dict[str, object], said: str) -> None:
    model = tiny(service.settings.data_dir, **changes)
    service.models.models = [model]
    page = engines()
    page.button(key=f"remove-{model.place}-org/tiny").click().run()
    assert said in told(page).replace("\\", "")


def test_a_removal_that_is_refused_says_why(service: StandIn, here: ModelHere) -> None:
    page = engines()
    page.button(key="remove-fetched-org/tiny").click().run()
    service.models.error = UsageError("org/tiny answers now.", "Switch first.")
    page.button(key="confirm-model-remove").click().run()
    assert [str(error.value) for error in page.error] == ["**org/tiny answers now.**  \nSwitch first."]
    assert not page.run().error


def test_what_fits_is_recommended_for_the_memory_and_the_source() -> None:
    def offered(memory: Memory, *, here: tuple[str, ...] = (), from_modelscope: bool = False) -> list[Recommended]:
        return picks(memory, here, "en", from_modelscope=from_modelscope)

    on_gpu, on_cpu = offered(GPU), offered(CPU)
    assert (
        {model.kind for model in on_gpu}
        == {model.kind for model in on_cpu}
        == {"chat", "vision", "embedding", "reranker"}
    )
    assert max(model.memory for model in on_gpu) > 16 * 10**9 > max(model.memory for model in on_cpu)
    assert not any(model.quantization for model in on_cpu)
    assert on_cpu[0] not in offered(CPU, here=(on_cpu[0].name,))
    assert all(model.modelscope for model in offered(CPU, from_modelscope=True))
    assert offered(Memory("cpu", "this machine", 0, 10**8)) == []


def test_the_models_are_looked_at_anew_when_a_fetch_ended_or_one_was_removed(service: StandIn) -> None:
    states = ModelStates()

    def names() -> list[str]:
        look = states.known(service, 5)  # type: ignore[arg-type]
        assert look is not None
        return [model.name for model in look.models]

    assert names() == []
    service.models.arrives = [tiny(service.settings.data_dir)]
    job = service.models.start_fetch(FetchRequest("org/tiny"))
    assert names() == []
    service.models.work.set()
    assert job.wait(5) and names() == ["org/tiny"]
    service.models.models.clear()
    assert names() == ["org/tiny"]
    states.forget()
    assert names() == []


@pytest.mark.parametrize("error", [ValueError, FileNotFoundError])
def test_a_look_that_fails_leaves_what_was_known(
    service: StandIn, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail() -> None:
        raise error("gone")

    states = ModelStates()
    assert states.known(service, 5) is not None  # type: ignore[arg-type]
    states.forget()
    monkeypatch.setattr(service.models, "here", fail)
    assert states.known(service, 5) is not None  # type: ignore[arg-type]


def test_a_fetch_in_another_tab_is_seen_here(service: StandIn) -> None:
    job = service.models.start_fetch(FetchRequest("org/tiny"))
    until(lambda: job.progress.stage == "fetching")
    test = AppTest.from_function(_engines, default_timeout=1.5)
    with pytest.raises(RuntimeError, match="timed out"):  # it goes on as long as the work does
        test.run()


def _engines() -> None:
    from app.service import current
    from app.ui import engines

    engines.page(current())
