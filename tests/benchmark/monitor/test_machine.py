from __future__ import annotations

import json
import time

import psutil
import pytest

from app.benchmark.monitor.machine import MachineWatch


def burn(seconds: float) -> None:
    """So much of a processor, however long that takes."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        sum(range(1000))


def test_what_this_process_takes_is_counted() -> None:
    before = psutil.Process().memory_info().rss
    watch = MachineWatch()
    burn(0.2)
    taken = b"x" * 60_000_000
    watch.look()
    del taken
    watch.look()

    cpu, memory = watch.cpu(10.0, 100), watch.memory()
    assert json.dumps([cpu, memory])
    assert cpu["client_seconds"] >= 0.2
    assert cpu["client_share"] == pytest.approx(cpu["client_seconds"] / 10, abs=1e-4)
    assert cpu["client_seconds_per_token"] == pytest.approx(cpu["client_seconds"] / 100, abs=1e-5)
    assert memory["client_peak"] >= before + 50_000_000
    assert 0 < memory["machine_used_peak"] <= memory["machine_total"] <= psutil.virtual_memory().total


def test_the_machine_is_as_busy_as_it_was_between_two_looks() -> None:
    watch = MachineWatch()
    for _ in range(3):
        burn(0.1)
        watch.look()

    percent = watch.cpu(1.0, None)["machine_percent"]
    assert percent["n"] == 3
    assert 0 < percent["min"] <= percent["mean"] <= percent["max"] <= 100


def test_of_no_time_and_no_tokens_there_are_no_shares() -> None:
    cpu = MachineWatch().cpu(0.0, 0)

    assert cpu["machine_percent"] is cpu["client_share"] is cpu["client_seconds_per_token"] is None
