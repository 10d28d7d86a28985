"""Comparisons by the running product: one at a time, kept, the live engine set aside where it takes the memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.benchmark.comparisons.live import LiveEngine
from app.benchmark.comparisons.report import ComparisonReport
from app.benchmark.comparisons.request import CompareRequest, TuneRequest
from app.benchmark.notes import note
from app.benchmark.prompts import PromptSource
from app.benchmark_jobs import BenchmarkJobs
from app.config import load_settings
from app.engines.switch import EngineSwitch
from app.errors import BenchmarkError, ConfigError, EngineUnavailable
from app.jobs import Cancelled
from app.knowledge import open_knowledge
from app.knowledge.library import Knowledge
from app.schema import Progress
from tests.benchmark.engines import GB, Machine


def asked(*engines: str, **changes: Any) -> CompareRequest:
    small: dict[str, Any] = {
        "readers": (1, 2), "turns": (1,), "repeats": 2, "max_tokens": 4, "requests": 2,
        "prompts": PromptSource(tokens=20),
    }  # fmt: skip
    return CompareRequest(engines or ("hf", "vllm"), **{**small, **changes})


def quietly(progress: Progress) -> None: ...


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """None of its engines wants the large libraries."""
    monkeypatch.setattr("app.benchmark.comparisons.comparing._SHARED", ())
    return Machine()


@pytest.fixture
def knowledge(tmp_path: Path) -> Iterator[Knowledge]:
    opened = open_knowledge(load_settings(data_dir=tmp_path))
    yield opened
    opened.close()


class House:
    """Jobs, and the switch beside them, on one machine."""

    def __init__(self, machine: Machine, knowledge: Knowledge, **busy: Any) -> None:
        self.machine = machine
        self.switch = EngineSwitch(knowledge.settings, machine.make)
        self.jobs = BenchmarkJobs(knowledge.settings, knowledge, self.switch, make=machine.make, **busy)

    def close(self) -> None:
        self.jobs.close()
        self.switch.close()


@pytest.fixture
def house(machine: Machine, knowledge: Knowledge) -> Iterator[House]:
    made = House(machine, knowledge)
    yield made
    made.close()


def test_a_comparison_is_kept_under_the_id_that_was_asked_for(house: House) -> None:
    report = house.jobs.compare(asked(id="20260101T000000000000-abcd"), quietly)

    assert report.id == "20260101T000000000000-abcd" and house.jobs.runs.ids() == [report.id]
    kept = house.jobs.runs.load(report.id)
    assert kept is not None and kept.as_dict() == report.as_dict()


def test_a_disk_that_takes_no_more_costs_nobody_the_report(house: House, knowledge: Knowledge) -> None:
    (knowledge.settings.data_dir / "benchmarks").write_text("in the way")

    report = house.jobs.compare(asked(), quietly)
    assert report.cells and "could not be kept" in report.notes[-1]

    def stop(progress: Progress) -> None:
        if progress.stage == "measuring" and progress.done >= 2:
            raise Cancelled

    with pytest.raises(BenchmarkError, match="could not be kept"):
        house.jobs.compare(asked(), stop)


def test_settings_are_tried_in_the_background(house: House) -> None:
    request = TuneRequest(
        "vllm", tries=("ngram",), readers=(1,), repeats=1, max_tokens=4, requests=2, prompts=PromptSource(tokens=20)
    )
    job = house.jobs.start("vllm", request)

    assert job.wait(60) and job.state == "done" and job.result is not None
    assert job.result.kind == "tune" and house.jobs.jobs() == [job]
    assert house.jobs.runs.ids() == [job.result.id]


def test_one_that_is_cancelled_keeps_what_was_measured(house: House) -> None:
    job = house.jobs.start("two", asked(repeats=50, max_tokens=200))
    while not job.wait(0.01):
        if job.progress.stage == "measuring" and job.progress.done >= 2:
            job.cancel()

    assert job.wait(60) and job.state == "cancelled" and job.result is None
    (kept,) = house.jobs.runs.ids()
    report = house.jobs.runs.load(kept)
    assert isinstance(report, ComparisonReport) and report.interrupted and report.cells
    assert not house.machine.loaded


def test_one_that_is_cancelled_before_it_began_leaves_nothing(house: House) -> None:
    def stop(progress: Progress) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        house.jobs.compare(asked(), stop)
    assert house.jobs.runs.ids() == []


def test_what_cannot_be_is_said_before_it_is_its_turn(house: House) -> None:
    with house.jobs._our_turn(quietly):
        with pytest.raises(ConfigError):
            house.jobs.compare(asked("hf", "vlm"), quietly)
        for wrong in (asked("hf"), asked(id="../elsewhere")):
            with pytest.raises(BenchmarkError):
                house.jobs.compare(wrong, quietly)


def test_one_waits_for_another_and_for_an_evaluation(machine: Machine, knowledge: Knowledge) -> None:
    busy = [True, True, False]
    house = House(machine, knowledge, busy=lambda: busy.pop(0) if len(busy) > 1 else busy[0])
    told: list[str] = []

    def tell(progress: Progress) -> None:
        told.append(progress.stage)
        if progress.stage == "waiting" and told.count("waiting") == 1:
            turn.release()

    turn = house.jobs._turn
    turn.acquire()
    house.jobs.compare(asked(), tell)

    assert told[:3] == ["waiting"] * 3 and told[3] == "checking"
    house.close()


def test_a_live_engine_that_leaves_room_stays(house: House) -> None:
    house.switch.use("hf")
    report = house.jobs.compare(asked(), quietly)

    assert house.switch.wanted == "hf" and house.switch.engines["hf"].loaded
    assert not any("was closed for the measurement" in line for line in report.notes)


def test_a_live_engine_that_takes_the_memory_is_set_aside_and_comes_back(house: House) -> None:
    house.machine.size = 7 * GB
    house.switch.use("hf", "/models/mine")
    meanwhile: list[str] = []

    def look(progress: Progress) -> None:
        if progress.stage == "measuring":
            meanwhile.append(house.switch.choice().engine.name)

    report = house.jobs.compare(asked(), look)

    assert set(meanwhile) == {"extractive"}
    assert (house.switch.wanted, house.switch.wanted_model) == ("hf", "/models/mine")
    assert house.switch.engines["hf"].loaded
    assert note("set_aside", engine="hf (/models/mine)") in report.notes
    assert note("back", engine="hf (/models/mine)") in report.notes
    assert report.interleaved, "there was room for both without it"


def test_what_the_user_chose_meanwhile_stays(house: House) -> None:
    house.machine.size = 7 * GB
    house.switch.use("hf")

    def change(progress: Progress) -> None:
        if progress.stage == "measuring":
            house.switch.use("ollama")

    house.jobs.compare(asked(), change)
    assert house.switch.wanted == "ollama"


def test_an_engine_that_does_not_come_back_is_said(house: House) -> None:
    house.machine.size = 7 * GB
    house.switch.use("hf")

    def broken(progress: Progress) -> None:
        if progress.stage == "measuring":
            house.machine.load_errors["hf"] = EngineUnavailable("The disk is gone.", "Look.")

    report = house.jobs.compare(asked(), broken)
    assert note("not_back", engine="hf (m)", why="The disk is gone. Look.") in report.notes


def test_when_the_product_ends_nothing_is_loaded_for_it(house: House) -> None:
    house.switch.use("hf")
    live = LiveEngine(house.switch, lambda: True)

    assert live.set_aside(quietly) == "hf (m)"
    assert live.bring_back() == ""
    assert not house.switch.engines["hf"].loaded


def test_answers_of_others_are_noted(house: House) -> None:
    with house.switch.lease("extractive"):
        report = house.jobs.compare(asked(), quietly)

    assert note("disturbed") in report.notes
