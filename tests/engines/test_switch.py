"""The change of the live engine: nobody who reads loses anything, and what fails changes nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import load_settings
from app.engines import switch as module
from app.engines.live_chat import LiveChatModel
from app.engines.pool import Lease
from app.engines.registry import ORDER
from app.engines.switch import EngineSwitch
from app.errors import ConfigError, EngineError, EngineTimeout, EngineUnavailable, OutOfMemory
from app.jobs import Cancelled
from app.schema import Progress
from tests.engines.fakes import WORDS, World


@pytest.fixture
def world() -> World:
    return World()


def opened(world: World, engine: str = "auto") -> EngineSwitch:
    return EngineSwitch(load_settings(llm_engine=engine), world.make)


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def said(lease: Lease) -> str:
    with lease as engine:
        return "".join(chunk.text for chunk in engine.chat_model().stream("Hello"))


def test_auto_takes_the_first_that_is_ready_and_says_why_others_were_skipped(world: World) -> None:
    switch = opened(world)
    lease = switch.lease()
    assert lease.engine.name == "vllm"
    assert [status.name for status in lease.skipped] == ["vllm_openai"]
    assert said(lease) == "vllm " * WORDS


def test_the_new_engine_answers_and_the_old_one_is_closed(world: World) -> None:
    world.takes = {"vllm": 40, "hf": 40}
    switch = opened(world)
    said(switch.lease())
    status = switch.use("hf", "org/model")
    assert (status.name, status.ready, status.model) == ("hf", True, "org/model")
    assert switch.wanted == "hf"
    assert said(switch.lease()) == "hf " * WORDS
    assert world.log == ["vllm loaded", "hf loaded", "vllm closed"]


def test_the_old_one_answers_while_the_new_one_loads(world: World) -> None:
    world.takes = {"vllm": 40, "hf": 40}
    switch = opened(world)
    said(switch.lease())
    world.loading.clear()
    world.go_on.clear()
    switching = in_background(lambda: switch.use("hf"))
    assert world.loading.wait(10)
    assert said(switch.lease()) == "vllm " * WORDS
    world.go_on.set()
    switching.join(10)
    assert said(switch.lease()) == "hf " * WORDS


def test_an_answer_under_way_keeps_its_engine_open(world: World) -> None:
    world.takes = {"vllm": 40, "hf": 40}
    switch = opened(world)
    lease = switch.lease()
    stream = lease.engine.chat_model().stream("Hello")
    text = next(stream).text
    stages: list[str] = []
    switching = in_background(lambda: switch.use("hf", on_progress=lambda progress: stages.append(progress.stage)))
    until(lambda: "draining" in stages)
    assert switch.readers("hf") == 0
    assert said(switch.lease()) == "hf " * WORDS, "others already read from the new one"
    assert switching.is_alive()
    text += "".join(chunk.text for chunk in stream)
    assert text == "vllm " * WORDS
    assert "vllm closed" not in world.log
    lease.release()
    lease.release()
    switching.join(10)
    assert not switching.is_alive()
    assert world.log[-1] == "vllm closed"


def test_where_both_do_not_fit_the_old_one_is_drained_first(world: World) -> None:
    switch = opened(world)
    lease = switch.lease()
    stream = lease.engine.chat_model().stream("Hello")
    text = next(stream).text
    stages: list[Progress] = []
    switching = in_background(lambda: switch.use("hf", on_progress=stages.append))
    until(lambda: any(progress.stage == "draining" and progress.done == 1 for progress in stages))
    waiting: list[str] = []
    reader = in_background(lambda: waiting.append(said(switch.lease())))
    assert "hf loaded" not in world.log
    text += "".join(chunk.text for chunk in stream)
    lease.release()
    switching.join(10)
    reader.join(10)
    assert text == "vllm " * WORDS
    assert waiting == ["hf " * WORDS], "who asked meanwhile has waited"
    assert world.log == ["vllm loaded", "vllm closed", "hf loaded"]
    assert [progress.stage for progress in stages if progress.stage != "draining"] == [
        "checking", "closing", "loading", "loading",
    ]  # fmt: skip


def test_a_server_of_this_machine_that_can_unload_its_model_makes_room_too(world: World) -> None:
    world.takes = {"ollama": 60, "hf": 50}
    world.down = {"vllm_openai", "vllm"}
    switch = opened(world)
    assert said(switch.lease()) == "ollama " * WORDS
    switch.use("hf")
    assert world.log == ["ollama loaded", "ollama closed", "hf loaded"]


def test_one_that_runs_out_of_memory_against_the_estimate_gets_the_room_of_the_old_one(world: World) -> None:
    world.takes = {"vllm": 40, "hf": 40}
    world.fails_once["hf"] = OutOfMemory("hf ran out of memory.", "Make room.")
    switch = opened(world)
    said(switch.lease())
    switch.use("hf")
    assert world.log == ["vllm loaded", "vllm closed", "hf loaded"]


def test_what_fails_to_load_leaves_the_old_one_answering(world: World) -> None:
    world.takes = {"vllm": 40, "hf": 40}
    world.fails["hf"] = EngineUnavailable("Its weights are broken.", "Download it again.")
    switch = opened(world)
    said(switch.lease())
    with pytest.raises(EngineUnavailable, match="weights are broken"):
        switch.use("hf")
    assert switch.wanted == "auto"
    assert said(switch.lease()) == "vllm " * WORDS
    assert world.log == ["vllm loaded"]


def test_what_fails_in_the_place_of_the_old_one_brings_it_back(world: World) -> None:
    world.fails["hf"] = EngineUnavailable("Its weights are broken.", "Download it again.")
    switch = opened(world)
    said(switch.lease())
    with pytest.raises(EngineUnavailable, match="weights are broken"):
        switch.use("hf")
    assert world.log == ["vllm loaded", "vllm closed", "vllm loaded"]
    assert said(switch.lease()) == "vllm " * WORDS


def test_when_the_old_one_cannot_come_back_both_reasons_are_told_and_the_next_one_answers(world: World) -> None:
    world.fails["hf"] = EngineUnavailable("Its weights are broken.", "Download it again.")
    switch = opened(world)
    said(switch.lease())
    world.fails["vllm"] = OutOfMemory("Another program has the memory.", "Close it.")
    world.down.add("vllm")
    with pytest.raises(EngineError) as caught:
        switch.use("hf")
    assert "weights are broken" in str(caught.value)
    assert "vllm could not be loaded again: Another program has the memory." in str(caught.value)
    world.down.add("hf")
    switch.forget_choices()
    assert switch.choice().engine.name == "extractive"


def test_what_can_never_fit_is_refused_before_anyone_is_drained(world: World) -> None:
    world.takes = {"vllm": 60, "hf": 500}
    switch = opened(world)
    said(switch.lease())
    with pytest.raises(OutOfMemory, match="does not fit this machine"):
        switch.use("hf")
    assert world.log == ["vllm loaded"]


def test_one_that_is_not_ready_is_refused_with_its_reason(world: World) -> None:
    switch = opened(world)
    with pytest.raises(EngineUnavailable) as caught:
        switch.use("ollama")
    assert caught.value.message == "ollama cannot answer: as the test says"
    assert caught.value.hint == "Start it."


def test_wrong_names(world: World) -> None:
    switch = opened(world)
    with pytest.raises(ConfigError, match="olama") as caught:
        switch.use("olama")
    assert "ollama" in caught.value.hint
    with pytest.raises(ConfigError, match="takes no model"):
        switch.use("extractive", "qwen3:8b")
    assert switch.use("transformers").name == "hf"


def test_the_same_engine_again_changes_nothing_but_another_model_does(world: World) -> None:
    world.takes["hf"] = 40
    switch = opened(world)
    switch.use("hf", "org/one")
    first = switch.lease()
    assert switch.use("hf", "org/one").model == "org/one"
    assert world.log == ["hf loaded"]
    first.release()
    assert switch.use("hf", "org/two").model == "org/two"
    assert world.log == ["hf loaded", "hf loaded", "hf closed"]
    assert switch.use("hf").model == "", "without a name it is the one of the settings"


def test_an_engine_that_died_is_built_anew(world: World) -> None:
    switch = opened(world)
    switch.use("hf")
    world.down.add("hf")
    with pytest.raises(EngineUnavailable):
        switch.use("hf")
    world.down.clear()
    before = switch.engines["hf"]
    assert switch.use("hf").ready
    assert switch.engines["hf"] is before, "it is loaded and ready again"


def test_back_to_automatic(world: World) -> None:
    world.takes = {"vllm": 40, "hf": 40}
    switch = opened(world, "hf")
    said(switch.lease())
    assert switch.use("auto").name == "vllm"
    assert switch.wanted == "auto"
    assert world.log == ["hf loaded", "vllm loaded", "hf closed"]
    world.down.add("vllm")
    switch.forget_choices()
    assert switch.choice().engine.name == "hf"


def test_a_cancelled_switch_leaves_everything_as_it_was(world: World) -> None:
    world.takes = {"vllm": 40, "hf": 40}
    switch = opened(world)
    said(switch.lease())

    def cancelled(progress: Progress) -> None:
        if progress.stage == "loading":
            raise Cancelled

    with pytest.raises(Cancelled):
        switch.use("hf", on_progress=cancelled)
    assert world.free == 60
    assert said(switch.lease()) == "vllm " * WORDS


def test_cancelled_once_the_new_one_answers_it_is_too_late(world: World) -> None:
    world.takes = {"vllm": 40, "hf": 40}
    switch = opened(world)
    lease = switch.lease()
    lease.engine.chat_model()

    def cancelled(progress: Progress) -> None:
        if progress.stage == "draining":
            raise Cancelled

    assert switch.use("hf", on_progress=cancelled).name == "hf"
    assert switch.choice().engine.name == "hf"
    lease.release()
    until(lambda: world.log[-1] == "vllm closed")


def test_draining_does_not_wait_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.05)
    switch = opened(world)
    lease = switch.lease()
    lease.engine.chat_model()
    with pytest.raises(EngineTimeout):
        switch.use("hf")
    assert said(switch.lease()) == "vllm " * WORDS
    world.takes["hf"] = 10
    assert switch.use("hf").name == "hf", "with room for both nobody has to wait"
    assert "vllm closed" not in world.log
    lease.release()
    until(lambda: world.log[-1] == "vllm closed")


def test_an_engine_asked_for_by_name_answers_beside_the_live_one(world: World) -> None:
    world.takes = {"vllm": 40, "hf": 40}
    switch = opened(world)
    said(switch.lease())
    assert said(switch.lease("hf")) == "hf " * WORDS
    assert said(switch.lease()) == "vllm " * WORDS


def test_one_without_room_beside_the_live_one_is_skipped_with_the_reason(world: World) -> None:
    switch = opened(world)
    said(switch.lease())
    lease = switch.lease("hf")
    assert lease.engine.name == "vllm"
    reasons = {status.name: status.detail for status in lease.skipped}
    assert "needs about" in reasons["hf"]


def test_close_ends_everything_and_lets_nobody_in(world: World) -> None:
    switch = opened(world)
    said(switch.lease())
    switch.close()
    assert world.free == world.size
    with pytest.raises(EngineUnavailable):
        switch.lease()


def test_the_next_engine_stands_in_for_those_that_failed(world: World) -> None:
    switch = opened(world)
    lease = switch.lease_instead({"vllm", "vllm_openai"})
    assert lease is not None
    assert lease.engine.name == "hf"
    assert switch.lease_instead(ORDER) is None


def test_one_chat_model_follows_every_switch(world: World) -> None:
    world.takes = {"vllm": 40, "hf": 40}
    switch = opened(world)
    live = LiveChatModel(switch=switch)
    assert live.invoke("Hello").text == "vllm " * WORDS
    switch.use("hf")
    assert live.invoke("Hello").text == "hf " * WORDS
    assert asyncio.run(live.ainvoke("Hello")).response_metadata["finish_reason"] == "stop"
    stream = live.stream("Hello")
    next(stream)
    assert switch.readers("hf") == 1
    stream.close()  # type: ignore[attr-defined]
    assert switch.readers("hf") == 0


@given(
    st.lists(st.sampled_from(["vllm", "hf", "extractive", "ollama", "auto"]), min_size=1, max_size=6),
    st.sampled_from([60, 100, 130]),
    st.sets(st.sampled_from(["vllm", "hf"])),
)
def test_whatever_is_switched_every_answer_is_whole_and_no_memory_is_lost(
    names: list[str], size: int, failing: set[str]
) -> None:
    world = World(size=size, fails={name: EngineUnavailable(f"{name} is broken.") for name in failing})
    switch = opened(world, "extractive")
    stop = threading.Event()
    answers: list[str] = []
    faults: list[Exception] = []

    def read() -> None:
        while not stop.is_set():
            try:
                answers.append(said(switch.lease()))
            except EngineError as error:
                if "is broken" not in str(error):  # a first load that fails is told, and the next one is asked
                    faults.append(error)

    readers = [in_background(read) for _ in range(3)]
    for name in names:
        try:
            switch.use(name)
        except EngineError:
            continue
    stop.set()
    for reader in readers:
        reader.join(20)
    assert faults == []
    assert all(len(set(answer.split())) == 1 and len(answer.split()) == WORDS for answer in answers)
    switch.close()
    assert world.free == world.size
