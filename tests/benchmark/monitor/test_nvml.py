from __future__ import annotations

import sys

import pynvml
import pytest

from app.benchmark.monitor.nvml import NoGpu, cards, opened
from app.errors import BenchmarkError
from tests.benchmark.fake_nvml import FakeCard, FakeNvml, full, install, poor


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    return install(monkeypatch, full(), poor())


def indices(chosen: list[str] | None = None) -> list[int]:
    with opened() as nvml:
        return [card.index for card in cards(nvml, chosen)]


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (None, [0, 1]),
        (["1"], [1]),
        (["1", " 0 ", "1"], [0, 1]),
        (["GPU-22bb"], [1]),
        (["GPU-11"], [0]),
    ],
)
def test_gpus_are_chosen_by_number_or_uuid(two: FakeNvml, chosen: list[str] | None, found: list[int]) -> None:
    assert indices(chosen) == found
    assert two.uses == 0


@pytest.mark.parametrize("wrong", ["2", "-1", "", "all", "GPU-33", "11aa", "MIG-none"])
def test_of_an_unknown_gpu_the_known_ones_are_named(two: FakeNvml, wrong: str) -> None:
    with pytest.raises(BenchmarkError) as caught:
        indices(["0", wrong])

    assert caught.value.message == f"There is no GPU {wrong}.".replace("  ", " ")
    assert caught.value.hint == "These are there: 0 (NVIDIA L4, GPU-11aa), 1 (Tesla M40, GPU-22bb)."
    assert two.uses == 0


@pytest.mark.parametrize(("visible", "found"), [("1", [1]), ("GPU-11aa,1", [0, 1]), ("1,7", [1])])
def test_without_a_choice_those_that_cuda_may_see_count(
    two: FakeNvml, monkeypatch: pytest.MonkeyPatch, visible: str, found: list[int]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert indices() == found
    assert indices(["0"]) == [0]  # who names one means it


@pytest.mark.parametrize("visible", ["", "-1", "9"])
def test_where_cuda_may_see_none_that_is_said(two: FakeNvml, monkeypatch: pytest.MonkeyPatch, visible: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    with pytest.raises(NoGpu, match=f"^CUDA_VISIBLE_DEVICES={visible} leaves no GPU of this machine.$"):
        indices()


def test_a_part_of_a_card_stands_for_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, full(), FakeCard("NVIDIA H100", "GPU-44dd", parts=("MIG-5", "MIG-6")))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-6")

    assert indices() == indices(["MIG-5"]) == [1]


def test_a_lost_card_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeCard("NVIDIA L4", "GPU-0", lost=True), poor())

    assert indices() == [1]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("nvmlInit", "No NVIDIA driver answers: Driver Not Loaded."),
        ("nvmlDeviceGetCount", "The NVIDIA driver does not list its GPUs: Driver Not Loaded."),
        ("nvmlDeviceGetUUID", "The NVIDIA driver shows no GPU that can be asked."),
    ],
)
def test_a_driver_that_fails_is_told_in_one_line(two: FakeNvml, function: str, words: str) -> None:
    two.fails = function

    with pytest.raises(NoGpu) as caught:
        indices(["0"])
    assert str(caught.value) == words
    assert two.uses == 0


def test_without_the_package_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)

    with pytest.raises(NoGpu, match="nvidia-ml-py is not installed"), opened():
        pass


def test_the_real_library_answers_or_says_why_not() -> None:
    try:
        with opened() as nvml:
            assert nvml is pynvml
            assert nvml.nvmlDeviceGetCount() >= 0
    except NoGpu as reason:
        assert str(reason).startswith("No NVIDIA driver answers: ")


def test_nobody_elses_use_ends_with_ours(two: FakeNvml) -> None:
    two.nvmlInit()

    assert indices() == [0, 1]
    assert two.uses == 1


def test_what_a_card_does_not_tell_is_none(two: FakeNvml) -> None:
    with opened() as nvml:
        rich, card = cards(nvml)
        assert card.ask("nvmlDeviceGetTemperature", 0) is None
        assert card.memory() == (1024**3, 12 * 1024**3)
        two.fails = "nvmlDeviceGetMemoryInfo"
        assert rich.memory() is None
