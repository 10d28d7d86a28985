"""Engines compared: real transformers against itself, faults and memory by engines that do as they are told."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import torch

from app import benchmark
from app.benchmark.comparisons.comparing import Surroundings, compare
from app.benchmark.comparisons.report import ComparisonReport, Contestant
from app.benchmark.comparisons.request import CompareRequest
from app.benchmark.notes import note
from app.benchmark.prompts import PromptSource
from app.config import Settings, load_settings
from app.errors import BenchmarkError, OutOfMemory
from app.jobs import Cancelled
from app.schema import Progress
from tests.benchmark.engines import GB, FakeGauge, Machine
from tests.engines.tiny_model import make

SHORT = PromptSource(tokens=20)


def settings(**values: Any) -> Settings:
    return load_settings(ollama_base_url="http://127.0.0.1:9", **values)


def asked(*engines: str, **changes: Any) -> CompareRequest:
    small: dict[str, Any] = {
        "readers": (1, 3), "turns": (1,), "repeats": 2, "max_tokens": 4, "prompts": SHORT, "requests": 3
    }  # fmt: skip
    return CompareRequest(engines, **{**small, **changes})


def on(machine: Machine, *engines: str, **changes: Any) -> ComparisonReport:
    around = Surroundings(settings(), make=machine.make, gauge=FakeGauge(machine))
    return compare(asked(*engines, **changes), around)


def called(report: ComparisonReport, label: str) -> Contestant:
    return next(contestant for contestant in report.contestants if contestant.label == label)


def turns_of(machine: Machine) -> list[str]:
    return [entry for entry, _ in groupby(machine.log)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a model is slowed down by several, on a busy machine tenfold
    folder = tmp_path_factory.mktemp("models")
    yield make(folder / "one"), make(folder / "two", seed=1)
    torch.set_num_threads(before)


def test_two_real_models_are_measured_and_told_apart(models: tuple[Path, Path], tmp_path: Path) -> None:
    one, two = models
    told: list[Progress] = []
    around = Surroundings(settings(hf_model_path=str(one), hf_device="cpu", data_dir=tmp_path))
    request = asked("hf", f"hf={two}", "ollama", turns=(1, 2), max_tokens=8)

    report = compare(request, around, told.append)

    assert [contestant.label for contestant in report.contestants] == ["hf", "hf two", "ollama"]
    first, second, ollama = report.contestants
    assert (first.model, first.dtype, first.problem) == ("one", "bfloat16", "")
    assert first.weights and second.weights and first.weights != second.weights
    assert first.ram_loaded is not None and first.ram_peak is not None and first.ram_peak >= first.ram_loaded
    assert first.load_seconds is not None and first.load_seconds > 0
    assert second.settings == {"HF_MODEL_PATH": str(two)}
    assert "Ollama is not running" in ollama.problem
    assert report.interleaved and note("other_weights", one="hf", other="hf two") in report.notes
    assert {(cell.label, cell.readers, cell.turns) for cell in report.cells} == {
        (label, readers, turns) for label in ("hf", "hf two") for readers in (1, 3) for turns in (1, 2)
    }
    for cell in report.cells:
        assert len(cell.tokens_per_second) == len(cell.ttft_ms) == 2
        assert (cell.output_tokens, cell.failed) == (8, 0)
        assert cell.asked == 2 * (3 if cell.turns == 1 else 2 * cell.readers)
    assert {progress.stage for progress in told} >= {"checking", "loading", "warming", "measuring"}
    assert ComparisonReport.from_dict(report.as_dict()).as_dict() == report.as_dict()


def test_the_same_weights_are_seen_to_be_the_same(models: tuple[Path, Path], tmp_path: Path) -> None:
    one, _ = models
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in one.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    around = Surroundings(settings(hf_model_path=str(one), hf_device="cpu"))

    report = compare(asked("hf", f"hf={copy}", readers=(1,), repeats=1), around)

    assert note("same_weights") in report.notes
    assert note("one_repeat") in report.notes
    assert report.advice.why in ("same", "memory")


def test_engines_that_fit_together_are_asked_in_turn_with_the_same_prompts() -> None:
    machine = Machine()
    report = on(machine, "hf", "vllm")

    warm, rest = ["ask hf", "ask vllm"], ["ask hf", "ask vllm"] * 4
    assert turns_of(machine) == ["load hf", "load vllm", *warm, *rest, "close hf", "close vllm"]
    assert report.interleaved and report.notes[0] == note("interleaved")
    texts = {name: [str(messages[-1].content) for messages in said] for name, said in machine.asked.items()}
    assert sorted(texts["hf"]) == sorted(texts["vllm"])
    assert len(texts["hf"]) == len({text.split()[0] for text in texts["hf"]}) == 3 + 12, "all begin in another way"
    assert (called(report, "hf").ram_loaded, called(report, "vllm").ram_loaded) == (2 * GB, 4 * GB)


def test_engines_that_do_not_fit_together_come_one_after_the_other() -> None:
    machine = Machine(size=5 * GB)
    report = on(machine, "hf", "vllm")

    assert turns_of(machine) == ["load hf", "ask hf", "close hf", "load vllm", "ask vllm", "close vllm"]
    assert not report.interleaved
    assert report.notes[0] == note("one_by_one", need="6.0 GB", free="5.0 GB")
    assert all(not contestant.problem for contestant in report.contestants)


def test_who_runs_out_of_memory_beside_another_gets_it_alone() -> None:
    machine = Machine()
    machine.load_errors["vllm"] = OutOfMemory("vllm ran out of memory.", "Make room.")
    alone = machine.make

    def make_(name: str, of: Settings) -> Any:
        engine = alone(name, of)
        load = engine.load

        def loading(on_progress: Any) -> None:
            if name == "vllm" and not machine.loaded:
                machine.load_errors.clear()
            load(on_progress)

        engine.load = loading  # type: ignore[method-assign]
        return engine

    report = compare(asked("hf", "vllm"), Surroundings(settings(), make=make_, gauge=FakeGauge(machine)))

    assert not report.interleaved and report.notes[0] == note("one_by_one_after_all")
    assert [contestant.problem for contestant in report.contestants] == ["", ""]


def test_one_too_large_for_the_machine_leaves_the_others() -> None:
    machine = Machine(size=3 * GB)
    report = on(machine, "hf", "vllm")

    assert "needs about 4.0 GB" in called(report, "vllm").problem
    assert {cell.label for cell in report.cells} == {"hf"}
    assert (report.advice.label, report.advice.why) == ("hf", "only_one")


def test_nothing_to_measure_is_an_error_with_every_reason() -> None:
    machine = Machine(down={"hf": "no model", "vllm": "no vLLM here"})
    with pytest.raises(BenchmarkError, match="hf: no model Start it; vllm: no vLLM here"):
        on(machine, "hf", "vllm")


def test_a_server_that_dies_midway_keeps_what_it_answered_and_is_asked_no_more() -> None:
    machine = Machine(fails={"vllm": 3 + 3 + 1})
    report = on(machine, "hf", "vllm", readers=(1, 3, 2), repeats=2)

    dead = called(report, "vllm")
    assert dead.problem == note("stopped", error="vllm died. Look at its log.")
    cells = {cell.readers: cell for cell in report.cells if cell.label == "vllm"}
    assert (cells[1].asked, cells[1].failed, len(cells[1].tokens_per_second)) == (6, 2, 2)
    assert cells[3].failed == cells[3].asked == 3 and 2 not in cells
    assert any("2 of 6 answers failed: vllm died." in line for line in dead.notes)
    assert report.advice.label == "hf"
    assert {cell.readers for cell in report.cells if cell.label == "hf"} == {1, 2, 3}


def test_an_interrupted_run_keeps_what_was_measured_and_closes_the_engines() -> None:
    machine = Machine()

    def stop(progress: Progress) -> None:
        if progress.stage == "measuring" and progress.done >= 3:
            raise Cancelled

    report = compare(asked("hf", "vllm"), Surroundings(settings(), make=machine.make, gauge=FakeGauge(machine)), stop)

    rounds = sum(len(cell.ttft_ms) for cell in report.cells)
    assert report.interrupted and rounds == 3
    assert not machine.loaded and machine.log[-2:] == ["close hf", "close vllm"]


@pytest.mark.parametrize("stage", ["checking", "loading", "warming"])
def test_one_that_is_stopped_before_it_began_leaves_nothing(stage: str) -> None:
    machine = Machine()

    def stop(progress: Progress) -> None:
        if progress.stage == stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        compare(asked("hf", "vllm"), Surroundings(settings(), make=machine.make, gauge=FakeGauge(machine)), stop)
    assert not machine.loaded


def test_a_conversation_that_does_not_fit_the_smallest_window_is_left_out_for_all() -> None:
    machine = Machine(window=300)
    report = on(machine, "hf", "vllm", turns=(1, 30))

    assert {cell.turns for cell in report.cells} == {1}
    assert note("conversation_too_long", turns=30, window=300, whose="hf") in report.notes

    with pytest.raises(BenchmarkError, match="No prompt and its answer fit into the 300 tokens of hf"):
        on(machine, "hf", "vllm", prompts=PromptSource(tokens=400))
    with pytest.raises(BenchmarkError, match="No conversation of 30 turns"):
        on(machine, "hf", "vllm", turns=(30,))


def test_prompts_out_of_a_file_are_asked_again_where_there_are_too_few() -> None:
    file = PromptSource("prompts", text="Where?\n为什么？\n" + "long " * 5000, file="asked.txt")
    report = on(Machine(), "hf", "vllm", prompts=file)

    assert report.config["prompts"] == "asked.txt, 3 prompts"
    assert note("too_long", count=1, window=4096, whose="hf") in report.notes
    assert note("repeated", count=2, asked=12) in report.notes
    assert note("own_prompts") in report.notes and note("unique") not in report.notes


def test_more_readers_than_an_engine_writes_for_at_once_are_told() -> None:
    machine = Machine()
    around = Surroundings(settings(hf_max_batch=2, vllm_max_num_seqs=1), make=machine.make, gauge=FakeGauge(machine))
    report = compare(asked("hf", "vllm"), around)

    assert note("max_batch", readers=3, batch=2) in called(report, "hf").notes
    assert called(report, "vllm").notes == (note("max_num_seqs", readers=3, batch=1), note("prefix_on"))


def test_answers_that_are_written_meanwhile_are_told() -> None:
    machine = Machine()
    around = Surroundings(settings(), make=machine.make, gauge=FakeGauge(machine), busy=lambda: True)

    assert compare(asked("hf", "vllm"), around).notes.count(note("disturbed")) == 1


def test_engines_wait_longer_here_than_for_one_who_chats() -> None:
    machine = Machine()
    on(machine, "hf", "vllm")

    assert all(engine.settings.llm.params.timeout == 600 for engine in machine.made)


def test_python_users_have_a_function_that_ctrl_c_ends_with_a_report(models: tuple[Path, Path], tmp_path: Path) -> None:
    def press(progress: Progress) -> None:
        if progress.stage == "measuring" and progress.done >= 2:
            raise KeyboardInterrupt

    one, two = models
    report = benchmark.compare(
        "hf", f"hf={two}", settings=settings(hf_model_path=str(one), hf_device="cpu", data_dir=tmp_path),
        on_progress=press, readers=(1,), turns=(1,), max_tokens=4, requests=1, prompts=SHORT,
    )  # fmt: skip

    assert report.interrupted and sum(len(cell.ttft_ms) for cell in report.cells) == 2
    assert not (tmp_path / "benchmarks").exists()
