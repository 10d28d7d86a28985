"""How much memory there is: a stand-in for nvidia-smi, control groups built on the spot, and this machine itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from app.errors import EngineUnavailable
from app.models import machine
from app.models.machine import Memory, free_memory

TWO = "0, GPU-11aa, 1000, 24564, NVIDIA GeForce RTX 4090\n1, GPU-22bb, 23000, 24564, NVIDIA L4, edition two\n"
MIB = 1024**2


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name, the only one on the path; it says what its file says, and is a shell script."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "_PATIENCE", 60)  # this machine may be busy with other tests
    return program


def says(program: Path, lines: str, then: str = "") -> None:
    program.write_text(f"#!/bin/sh\n{then}\n/bin/cat <<'END'\n{lines}END\n")
    program.chmod(0o755)


def test_the_gpu_with_the_most_free_memory_counts(nvidia_smi: Path) -> None:
    says(nvidia_smi, TWO)

    found = Memory("cuda", "NVIDIA L4, edition two", 23000 * MIB, 24564 * MIB)
    assert free_memory() == free_memory("cuda") == found
    assert free_memory("cpu").device == "cpu"


@pytest.mark.parametrize("visible", ["0", "GPU-11", " 0 ,7", "GPU-11aa"])
def test_gpus_that_cuda_may_not_see_do_not_count(
    nvidia_smi: Path, monkeypatch: pytest.MonkeyPatch, visible: str
) -> None:
    says(nvidia_smi, TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert free_memory().name == "NVIDIA GeForce RTX 4090"


@pytest.mark.parametrize("visible", ["", "-1", "9"])
def test_with_every_gpu_hidden_the_machine_counts(
    nvidia_smi: Path, monkeypatch: pytest.MonkeyPatch, visible: str
) -> None:
    says(nvidia_smi, TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert free_memory().device == "cpu"
    with pytest.raises(EngineUnavailable) as caught:
        free_memory("cuda")
    assert str(caught.value) == "No NVIDIA GPU was found. See what `nvidia-smi` says."


@pytest.mark.parametrize(
    ("lines", "then"),
    [
        ("", ""),
        ("No devices were found\n", ""),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", "exit 9"),
        ("0, GPU-11aa, [N/A], [N/A], NVIDIA GB10\n", ""),
    ],
    ids=["silent", "none", "failing", "without its own memory"],
)
def test_a_gpu_that_does_not_answer_is_none(nvidia_smi: Path, lines: str, then: str) -> None:
    says(nvidia_smi, lines, then)

    assert free_memory().device == "cpu"


def test_a_gpu_that_hangs_is_not_waited_for(nvidia_smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says(nvidia_smi, TWO, "exec /bin/sleep 60")
    monkeypatch.setattr(machine, "_PATIENCE", 0.1)

    assert free_memory().device == "cpu"


def test_without_the_program_there_is_no_gpu(nvidia_smi: Path) -> None:
    assert not nvidia_smi.exists()
    assert free_memory().device == "cpu"


def test_the_memory_of_this_machine_is_what_others_measure() -> None:
    found, other = free_memory("cpu"), psutil.virtual_memory()

    assert found.name in ("this machine", "this container")
    assert 0 < found.free <= found.total <= other.total
    if found.name == "this machine":
        assert found.free == pytest.approx(other.available, rel=0.5)


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)


def limits(tmp_path: Path, groups: str) -> list[tuple[int, int]]:
    (tmp_path / "cgroup").write_text(groups)
    return list(machine._containers(tmp_path / "cgroup", tmp_path / "fs"))


def test_the_limits_of_a_container_and_of_all_around_it_are_read(tmp_path: Path) -> None:
    stat = "anon 5\nfile 900\nactive_file 300\ninactive_file 500\n"
    group(tmp_path / "fs" / "a" / "b", memory__max="1000\n", memory__current="900\n", memory__stat=stat)
    group(tmp_path / "fs" / "a", memory__max="max\n", memory__current="900\n", memory__stat=stat)
    group(tmp_path / "fs", memory__max="5000", memory__current="2000", memory__stat="")

    assert limits(tmp_path, "0::/a/b\n") == [(1000, 100), (5000, 2000)]
    assert limits(tmp_path, "0::/\n") == [(5000, 2000)]
    assert limits(tmp_path, "0::/../../elsewhere\n") == [(5000, 2000)]


def test_the_older_control_groups_are_read_as_well(tmp_path: Path) -> None:
    files = {"memory__limit_in_bytes": "1000", "memory__usage_in_bytes": "900"}
    group(
        tmp_path / "fs" / "memory", **files, memory__stat="total_active_file 1\ntotal_inactive_file 99\nactive_file 7\n"
    )

    assert limits(tmp_path, "3:cpu:/x\n2:memory:/docker/abc\n1:name=systemd:/\n") == [(1000, 800)]


def test_a_system_without_control_groups_has_no_limits(tmp_path: Path) -> None:
    assert list(machine._containers(tmp_path / "none", tmp_path)) == []


@pytest.mark.parametrize(
    ("groups", "name", "free", "total"),
    [
        ([], "this machine", 600, 1000),
        ([(2**63, 500)], "this machine", 600, 1000),
        ([(800, 500)], "this container", 300, 800),
        ([(900, 100)], "this container", 600, 900),
        ([(900, 100), (500, 400)], "this container", 100, 500),
        ([(500, 600)], "this container", 0, 500),
    ],
)
def test_the_tighter_of_machine_and_container_counts(
    monkeypatch: pytest.MonkeyPatch, groups: list[tuple[int, int]], name: str, free: int, total: int
) -> None:
    monkeypatch.setattr(machine, "_linux", lambda: (600, 1000))
    monkeypatch.setattr(machine, "_elsewhere", lambda: (600, 1000))
    monkeypatch.setattr(machine, "_containers", lambda: groups)

    assert free_memory("cpu") == Memory("cpu", name, free, total)


def test_linux_says_what_is_available_in_kibibytes(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(
        "MemTotal:       25 kB\nMemFree:  1 kB\nMemAvailable:   20 kB\nHugePages_Total:  0\n"
    )

    assert machine._linux(tmp_path / "meminfo") == (20 * 1024, 25 * 1024)


def test_macos_is_asked_through_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    found = machine._machine()

    assert found.total <= psutil.virtual_memory().total


def test_macos_without_psutil_counts_on_half_of_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "psutil", None)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    assert machine._elsewhere() == (total // 2, total)


def test_windows_fills_in_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(table: object) -> None:
        import ctypes

        assert isinstance(table, ctypes.Array)
        assert bytes(table)[:8] == (64).to_bytes(8, "little")  # its own size, which Windows insists on
        table[1:4] = [16_000, 9_000, 32_000]

    kernel = type("kernel32", (), {"GlobalMemoryStatusEx": staticmethod(fill)})
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr("ctypes.windll", type("windll", (), {"kernel32": kernel}), raising=False)

    assert machine._elsewhere() == (9_000, 16_000)
