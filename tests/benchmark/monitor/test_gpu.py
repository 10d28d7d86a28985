from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.benchmark.monitor.gpu import THROTTLING, GpuWatches
from app.errors import BenchmarkError
from tests.benchmark.fake_nvml import GIB, FakeCard, FakeNvml, full, install, poor, series

LOST = pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)


def watched(times: list[float], tokens: int | None = 100, chosen: list[str] | None = None) -> list[dict[str, Any]]:
    watches = GpuWatches(chosen)
    for at in times:
        watches.look(at)
    watches.close()
    found = watches.report(tokens)
    assert found is not None and json.dumps(found)
    return found


def only(answers: dict[str, Any], times: list[float], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    install(monkeypatch, FakeCard("NVIDIA A10", "GPU-7", answers))
    return watched(times)[0]


def test_a_card_that_tells_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = install(monkeypatch, full())

    found = watched([0.0, 1.0, 2.0, 4.0])[0]

    use, power = found.pop("utilization_percent"), found.pop("power_w")
    assert (use["n"], use["min"], use["max"], use["mean"]) == (4, 0, 100, 60)
    assert (power["n"], power["min"], power["max"], power["mean"]) == (4, 30, 72, 53)
    assert found == {
        "index": 0,
        "name": "NVIDIA L4",
        "memory_start": 2 * GIB,
        "memory_peak": 10 * GIB,
        "memory_total": 24 * GIB,
        "temperature_peak_c": 71,
        "energy_j": 160.5,
        "energy_from": "counter",
        "joules_per_token": 1.605,
        "throttled": {"sw_power_cap": 0.5, "sw_thermal_slowdown": 0.25},
    }
    assert nvml.uses == 0


def test_a_card_without_most_of_it_tells_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, full(), poor())

    found = watched([0.0, 1.0, 3.0])[1]

    assert found.pop("power_w")["max"] == 200
    assert found == {
        "index": 1,
        "name": "Tesla M40",
        "utilization_percent": None,
        "memory_start": GIB,
        "memory_peak": GIB,
        "memory_total": 12 * GIB,
        "temperature_peak_c": None,
        "energy_j": 150 + 400,  # from 100 to 200 watts in a second, then 200 for two
        "energy_from": "power",
        "joules_per_token": 5.5,
        "throttled": None,
    }


def test_a_card_that_tells_nothing_is_there_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = only({}, [0.0, 1.0], monkeypatch)

    assert {name for name, value in found.items() if value is not None} == {"index", "name"}


def test_only_chosen_cards_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, full(), poor())

    assert [card["index"] for card in watched([0.0, 1.0], chosen=["1"])] == [1]


@pytest.mark.parametrize("tokens", [None, 0])
def test_without_tokens_there_is_no_energy_of_one(monkeypatch: pytest.MonkeyPatch, tokens: int | None) -> None:
    install(monkeypatch, full())

    found = watched([0.0, 1.0], tokens)[0]
    assert found["energy_j"] == 30
    assert found["joules_per_token"] is None


@pytest.mark.parametrize(
    "counter",
    [series(LOST, 1_000), series(9_000, LOST), series(9_000, 8_000), series(9_000, 9_500, 100)],
    ids=["begins late", "ends early", "begins anew", "begins anew later"],
)
def test_a_counter_that_misses_an_end_is_not_believed(monkeypatch: pytest.MonkeyPatch, counter: Any) -> None:
    found = only({"TotalEnergyConsumption": counter, "PowerUsage": 50_000}, [0.0, 1.0, 2.0], monkeypatch)

    assert (found["energy_j"], found["energy_from"]) == (100, "power")


def test_one_look_tells_no_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    found = only({"TotalEnergyConsumption": 9_000, "PowerUsage": 50_000}, [0.0], monkeypatch)

    assert (found["energy_j"], found["energy_from"]) == (None, None)
    assert found["power_w"]["n"] == 1


def test_a_card_that_fails_for_a_moment_is_believed_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    found = only({"PowerUsage": series(50_000, LOST, 70_000), "Temperature": series(LOST, 50, 40)}, [0, 1, 2],
                 monkeypatch)  # fmt: skip

    assert found["power_w"]["n"] == 2
    assert found["energy_j"] == 120
    assert found["temperature_peak_c"] == 50


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=50), st.floats(0, 700))
def test_energy_from_a_steady_power_is_power_by_time(steps: list[float], watts: float) -> None:
    times = [0.0]
    for step in steps:
        times.append(times[-1] + step)
    with pytest.MonkeyPatch.context() as monkeypatch:
        found = only({"PowerUsage": watts * 1000}, times, monkeypatch)

    assert found["energy_j"] == pytest.approx(watts * times[-1], rel=1e-6, abs=1e-3)


@given(st.lists(st.floats(0, 700), min_size=2, max_size=50))
def test_energy_from_power_lies_between_the_least_and_the_most(watts: list[float]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        looks = [watt * 1000 for watt in watts]
        found = only({"PowerUsage": series(*looks)}, list(range(len(watts))), monkeypatch)

    pairs = list(pairwise(watts))
    assert sum(map(min, pairs)) - 1e-3 <= found["energy_j"] <= sum(map(max, pairs)) + 1e-3


def test_reasons_have_the_librarys_bits() -> None:
    names = {name.title().replace("_", ""): bit for name, bit in THROTTLING.items()}

    assert {name: getattr(pynvml, f"nvmlClocksEventReason{name}") for name in names} == names
    assert sum(THROTTLING.values()) | pynvml.nvmlClocksEventReasonGpuIdle == pynvml.nvmlClocksEventReasonAll


def test_without_a_card_it_is_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch).fails = "nvmlInit"

    watches = GpuWatches(["0"])
    watches.look(0.0)
    watches.close()

    assert watches.report(7) is None
    assert watches.note == "No NVIDIA driver answers: Driver Not Loaded."


def test_an_unknown_card_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml: FakeNvml = install(monkeypatch, full())

    with pytest.raises(BenchmarkError, match="There is no GPU 3"):
        GpuWatches(["3"])
    assert nvml.uses == 0
