from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import psutil
import pytest

from app.benchmark.monitor import memory
from app.benchmark.monitor.memory import MemoryGauge
from tests.benchmark.fake_nvml import GIB, full, install, poor
from tests.benchmark.fake_nvml import memory as card_memory

MB = 1_000_000
TAKES = "data = b'x' * 60_000_000; print('taken', flush=True); input()"


@contextmanager
def child(code: str) -> Iterator[subprocess.Popen[str]]:
    """A process below this one, once it has said something."""
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline()
        yield process
    finally:
        process.communicate("\n")


def test_children_and_theirs_count() -> None:
    gauge = MemoryGauge()
    before = gauge.now().ram
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {TAKES!r}])"
    with child(inner):
        during = gauge.now().ram

    assert during > before + 60 * MB
    assert gauge.now().ram < during - 50 * MB


def test_what_two_processes_share_counts_once() -> None:
    """A fork shares all pages of its parent until one of the two writes to them."""
    fork = (
        "import os; data = b'x' * 200_000_000\n"
        "pid = os.fork()\n"
        "if pid: print('taken', flush=True); input(); os.kill(pid, 9); os.wait()\n"
        "else:\n  import time; time.sleep(3600)"
    )
    before = MemoryGauge().now().ram
    with child(fork):
        during = MemoryGauge().now().ram

    assert 200 * MB < during - before < 300 * MB


def test_the_peak_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PERIOD", 0.01)
    gauge = MemoryGauge()
    before = gauge.now().ram
    with gauge.peak() as peak:
        assert peak.ram > 0
        taken = b"x" * (before + 60 * MB)
        looked = threading.Event()
        while peak.ram < before + 60 * MB:
            looked.wait(0.01)
        del taken

    assert peak.ram >= before + 60 * MB


def test_memory_that_does_not_grow_is_not_looked_at_closely_again(monkeypatch: pytest.MonkeyPatch) -> None:
    close = 0

    class Counting(MemoryGauge):
        def now(self) -> memory.Taken:
            nonlocal close
            close += 1
            return super().now()

    peak = memory.Peak(Counting())
    monkeypatch.setattr(memory, "_resident", lambda process: 1000)
    for _ in range(5):
        peak.look()
    assert close == 1
    monkeypatch.setattr(memory, "_resident", lambda process: 1020)
    peak.look()
    assert close == 2


def test_a_process_that_is_not_ours_counts_by_what_is_resident(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(process: psutil.Process) -> None:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "memory_full_info", denied)
    monkeypatch.setattr(psutil.Process, "memory_info", lambda process: SimpleNamespace(rss=7))

    assert MemoryGauge().now().ram == 7 * (1 + len(psutil.Process().children(recursive=True)))


def test_a_process_that_ends_meanwhile_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(process: psutil.Process) -> None:
        raise psutil.NoSuchProcess(process.pid)

    monkeypatch.setattr(psutil.Process, "memory_full_info", gone)
    monkeypatch.setattr(psutil.Process, "memory_info", gone)

    assert MemoryGauge().now().ram == 0
    with MemoryGauge().peak() as peak:
        pass
    assert peak.ram == 0


def test_the_memory_of_all_gpus_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    card, other = full(), poor()
    nvml = install(monkeypatch, card, other)
    card.answers["MemoryInfo"] = card_memory(3 * GIB)

    assert MemoryGauge().now().gpu == 4 * GIB
    with MemoryGauge().peak() as peak:
        card.answers["MemoryInfo"] = card_memory(9 * GIB)
    card.answers["MemoryInfo"] = card_memory(0)
    assert peak.gpu == 10 * GIB
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert MemoryGauge().now().gpu == GIB
    assert nvml.uses == 0


def test_without_a_gpu_its_memory_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch).fails = "nvmlInit"

    assert MemoryGauge().now().gpu is None
    with MemoryGauge().peak() as peak:
        pass
    assert peak.gpu is None


def test_a_gpu_that_does_not_tell_its_memory_leaves_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    card = full()
    del card.answers["MemoryInfo"]
    install(monkeypatch, card)

    assert MemoryGauge().now().gpu is None
