"""Settings tried one at a time: real transformers, and engines whose gains are known."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import torch

from app.benchmark.comparisons.comparing import Surroundings
from app.benchmark.comparisons.report import ComparisonReport
from app.benchmark.comparisons.request import TuneRequest
from app.benchmark.comparisons.tuning import tune
from app.benchmark.notes import note
from app.benchmark.prompts import PromptSource
from app.config import Settings, load_settings
from app.errors import BenchmarkError, EngineUnavailable
from app.jobs import Cancelled
from app.schema import Progress
from tests.benchmark.engines import GB, FakeGauge, Machine, MachineClock, PacedEngine
from tests.engines.tiny_model import make

SLOW, QUICK = 0.02, 0.002  # seconds a token


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model is slowed down by several, on a busy machine tenfold."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tuned(machine: Machine, engine: str = "vllm", *, making: Any = None, **changes: Any) -> ComparisonReport:
    small: dict[str, Any] = {
        "readers": (2,), "repeats": 2, "max_tokens": 4, "requests": 2, "prompts": PromptSource(tokens=20)
    }  # fmt: skip
    around = Surroundings(load_settings(), make=making or machine.make, gauge=FakeGauge(machine))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.benchmark.comparisons.course.RealClock", lambda: MachineClock(machine))
        return tune(TuneRequest(engine, **{**small, **changes}), around)


class Speculates(Machine):
    """Ten times as fast with speculation; fp8 is refused."""

    def make(self, name: str, settings: Settings) -> PacedEngine:
        engine = super().make(name, settings)
        arguments = settings.vllm_arguments()
        load = engine.load

        def loading(on_progress: Any) -> None:
            if arguments.get("kv_cache_dtype") == "fp8":
                raise EngineUnavailable("vLLM: this CPU has no fp8.", "Leave kv_cache_dtype alone.")
            load(on_progress)
            self.paces[name] = QUICK if "speculative_config" in arguments else SLOW

        engine.load = loading  # type: ignore[method-assign]
        return engine


def test_the_setting_that_helps_is_found_between_two_measurements_of_the_baseline() -> None:
    machine = Speculates()
    report = tuned(machine, tries=("ngram", "kv-cache-dtype", "draft"), repeats=3)

    assert [contestant.label for contestant in report.contestants] == [
        "vllm", "speculative_config=ngram", "draft", "kv_cache_dtype=fp8", "vllm (again)"
    ]  # fmt: skip
    problems = {contestant.label: contestant.problem for contestant in report.contestants if contestant.problem}
    assert set(problems) == {"draft", "kv_cache_dtype=fp8"}
    assert "this CPU has no fp8" in problems["kv_cache_dtype=fp8"]
    assert (report.kind, report.interleaved) == ("tune", False)
    assert note("settings_alone") in report.notes and note("measured_again") in report.notes
    assert (report.advice.label, report.advice.why) == ("speculative_config=ngram", "gain")
    assert report.advice.values["times"] == pytest.approx(10)
    assert "ngram" in report.advice.apply["VLLM_CONFIG"]
    assert [entry for entry, _ in groupby(machine.log)] == ["load vllm", "ask vllm", "close vllm"] * 3
    assert {up.label for up in report.speed_ups()} == {"speculative_config=ngram", "vllm (again)"}


def test_a_machine_that_changes_meanwhile_is_told() -> None:
    machine = Machine(paces={"vllm": SLOW})

    def making(name: str, settings: Settings) -> PacedEngine:
        engine = machine.make(name, settings)
        load = engine.load

        def loading(on_progress: Any) -> None:
            load(on_progress)
            machine.paces["vllm"] = (
                SLOW if len([entry for entry in machine.log if entry == "load vllm"]) == 1 else QUICK
            )

        engine.load = loading  # type: ignore[method-assign]
        return engine

    report = tuned(machine, making=making, tries=("prefix-caching",), repeats=3)

    assert any("the machine changed meanwhile" in line for line in report.notes)
    assert (report.advice.label, report.advice.why) == ("vllm", "keep")


def test_a_server_has_nothing_to_try_and_is_measured_once() -> None:
    machine = Machine()
    report = tuned(machine, "ollama")

    assert [contestant.label for contestant in report.contestants if not contestant.problem] == ["ollama"]
    assert (report.advice.label, report.advice.why) == ("ollama", "nothing_tried")


def test_an_engine_that_cannot_be_measured_as_it_is_set_is_an_error() -> None:
    with pytest.raises(BenchmarkError, match="no vLLM here"):
        tuned(Machine(down={"vllm": "no vLLM here"}))
    with pytest.raises(BenchmarkError, match=r"vllm cannot be measured as it is set.*needs about 4\.0 GB"):
        tuned(Machine(size=GB))


def test_an_interrupted_run_has_what_was_measured_and_no_second_baseline() -> None:
    machine = Machine(paces={"vllm": QUICK})

    def stop(progress: Progress) -> None:
        if progress.stage == "measuring" and progress.done >= 3:
            raise Cancelled

    around = Surroundings(load_settings(), make=machine.make, gauge=FakeGauge(machine))
    request = TuneRequest("vllm", readers=(1,), repeats=2, max_tokens=4, requests=2, prompts=PromptSource(tokens=20))
    report = tune(request, around, stop)

    assert report.interrupted and not machine.loaded
    assert {cell.label for cell in report.cells} == {"vllm", "enable_prefix_caching=false"}
    assert report.contestants[-1].problem == note("not_reached")
    assert note("measured_again") not in report.notes
    assert ComparisonReport.from_dict(report.as_dict()).as_dict() == report.as_dict()


def test_real_transformers_with_another_batch_and_a_draft(tmp_path: Path) -> None:
    model, draft = make(tmp_path / "model"), make(tmp_path / "draft", layers=1)
    settings = load_settings(hf_model_path=str(model), hf_device="cpu")
    request = TuneRequest(
        "hf", draft=str(draft), tries=("draft", "max-num-seqs", "ngram"), readers=(1,), repeats=1, max_tokens=8,
        requests=1, prompts=PromptSource(tokens=20),
    )  # fmt: skip
    report = tune(request, Surroundings(settings))

    measured = {contestant.label for contestant in report.contestants if not contestant.problem}
    assert measured == {"hf", "HF_DRAFT_MODEL_PATH=draft", "HF_MAX_BATCH=1", "hf (again)"}
    assert all(cell.failed == 0 and cell.output_tokens == 8 for cell in report.cells)
    assert report.contestants[1].problem == note("lacks_ngram", engine="hf")
