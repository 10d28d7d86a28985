from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from app.benchmark.monitor import sampler
from app.benchmark.monitor.sampler import Monitor
from app.benchmark.monitor.vllm_metrics import MetricsFault, Reading, ServerMetrics
from app.errors import BenchmarkError
from tests.benchmark.fake_nvml import full, install, poor
from tests.benchmark.metrics_server import BEGIN, END, serving, tells

KEYS = {"seconds", "samples", "hz", "cpu", "memory", "gpus", "gpu_note", "vllm", "vllm_note"}


def wait_for(count: int, monitor: Monitor) -> dict[str, Any]:
    """What it saw, as soon as it has looked ``count`` times."""
    while (found := monitor.resources(None))["samples"] < count:
        time.sleep(0.005)
    return found


def test_all_of_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = install(monkeypatch, full(), poor())
    with serving(tells(BEGIN), tells(END)) as server, Monitor(metrics=ServerMetrics(server.base), hz=50.0) as monitor:
        wait_for(5, monitor)
        assert nvml.opened == nvml.uses == 1

    found = monitor.resources(8000)
    assert json.loads(json.dumps(found)) == found
    assert found.keys() == KEYS
    assert found["samples"] >= 6
    assert found["hz"] == 50
    assert found["cpu"].keys() == {
        "machine_percent", "client_seconds", "client_share", "client_seconds_per_token",
    }  # fmt: skip
    assert found["memory"].keys() == {"machine_used_peak", "machine_total", "client_peak"}
    assert [(card["name"], card["energy_from"]) for card in found["gpus"]] == [
        ("NVIDIA L4", "counter"), ("Tesla M40", "power"),
    ]  # fmt: skip
    assert found["gpus"][0]["energy_j"] == 160.5
    assert found["vllm"]["generation_tokens"] == 8000
    assert found["gpu_note"] == found["vllm_note"] == ""
    assert nvml.uses == 0


def test_without_gpus_and_metrics_the_rest_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch).fails = "nvmlInit"
    with Monitor(hz=0.001) as monitor:
        pass

    found = monitor.resources(None)
    assert found.keys() == KEYS
    assert found["gpus"] is found["vllm"] is None
    assert (found["gpu_note"], found["vllm_note"]) == ("No NVIDIA driver answers: Driver Not Loaded.", "")
    assert found["samples"] == 2  # before and after
    assert found["memory"]["client_peak"] > 0


def test_this_machine_has_gpus_or_says_why_not() -> None:
    with Monitor() as monitor:
        pass

    found = monitor.resources(1)
    assert (found["gpus"] is None) == (found["gpu_note"] != "")


def test_a_server_without_metrics_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tells("404 page not found", 404)) as server, Monitor(metrics=ServerMetrics(server.base)) as monitor:
        pass

    found = monitor.resources(1)
    assert found["vllm"] is None
    assert found["vllm_note"].endswith("/metrics gives no metrics (404).")


def test_an_interrupted_run_keeps_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = install(monkeypatch, full())
    monitor = Monitor(hz=50.0)
    with pytest.raises(KeyboardInterrupt), monitor:
        midway = wait_for(3, monitor)
        raise KeyboardInterrupt

    found = monitor.resources(100)
    assert midway["samples"] >= 3
    assert found["samples"] > midway["samples"]
    assert found["seconds"] >= midway["seconds"]
    assert found["gpus"][0]["joules_per_token"] is not None
    assert nvml.uses == 0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("benchmark-")]


def test_after_the_end_nothing_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, full())
    with Monitor(hz=200.0) as monitor:
        wait_for(3, monitor)

    assert monitor.resources(5) == monitor.resources(5)


def test_an_unknown_gpu_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = install(monkeypatch, full())

    with pytest.raises(BenchmarkError, match="There is no GPU 7"), Monitor(["7"]):
        raise AssertionError("the run began")
    assert nvml.uses == 0


def test_a_driver_and_metrics_that_break_do_not_break_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaks:
        def __init__(self) -> None:
            self.reads = 0

        def read(self) -> Reading:
            self.reads += 1
            if self.reads == 1:
                raise MetricsFault("It is busy.")
            raise RuntimeError("nobody thought of this")

    card = full()
    install(monkeypatch, card)
    monkeypatch.setattr(sampler, "_METRICS_PERIOD", 0.01)
    source = Breaks()
    with Monitor(metrics=source, hz=100.0) as monitor:
        card.answers["PowerUsage"] = lambda: 1 / 0
        while source.reads < 3:
            time.sleep(0.005)

    found = monitor.resources(1)
    assert found["gpus"][0]["memory_start"] is not None
    assert (found["vllm"], found["vllm_note"]) == (None, "It is busy.")


def test_what_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver stays open then: closing it under a call that hangs could end the process."""
    over, asked = threading.Event(), threading.Event()

    def hang() -> int:
        asked.set()
        over.wait()
        return 1

    monkeypatch.setattr(sampler, "_HARDWARE_PATIENCE", 0.05)
    card = full()
    nvml = install(monkeypatch, card)
    with Monitor(hz=200.0) as monitor:
        card.answers["PowerUsage"] = hang
        assert asked.wait(60)

    assert nvml.uses == 1
    assert monitor.resources(1)["gpus"][0]["name"] == "NVIDIA L4"
    over.set()
