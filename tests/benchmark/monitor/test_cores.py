from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from app.benchmark.monitor import cores
from app.benchmark.monitor.cores import Busy, quota, usable_cores
from app.models.control_groups import Group


def newer(folder: Path, limit: str, used: int = 0) -> Group:
    """A control group of version 2."""
    folder.mkdir(exist_ok=True)
    (folder / "cpu.max").write_text(limit)
    (folder / "cpu.stat").write_text(f"usage_usec {used}\nuser_usec 1\nsystem_usec 2\n")
    return Group(folder, old=False)


def older(folder: Path, limit: int, used: int = 0) -> Group:
    """One of version 1; its period is the usual tenth of a second."""
    folder.mkdir(exist_ok=True)
    (folder / "cpu.cfs_quota_us").write_text(f"{limit}\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    (folder / "cpuacct.usage").write_text(f"{used}\n")
    return Group(folder, old=True)


def inside(monkeypatch: pytest.MonkeyPatch, *groups: Group, machine: int = 64) -> None:
    monkeypatch.setattr(cores, "around", lambda controller: iter(groups))
    monkeypatch.setattr(os, "cpu_count", lambda: machine)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(machine)), raising=False)


def test_the_tightest_quota_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inside(
        monkeypatch,
        newer(tmp_path / "inner", "400000 100000\n"),
        newer(tmp_path / "middle", "150000 100000\n", used=2_500_000),
        newer(tmp_path / "outer", "max 100000\n"),
        Group(tmp_path / "none", old=False),
    )

    found = quota()
    assert found is not None
    assert (found.cores, found.used()) == (1.5, 2.5)
    assert usable_cores() == 1.5


def test_the_older_control_groups_have_quotas_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inside(monkeypatch, older(tmp_path / "a", 200_000, used=3_000_000_000), older(tmp_path / "b", -1))

    found = quota()
    assert found is not None
    assert (found.cores, found.used()) == (2, 3)


def test_a_quota_above_the_machine_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inside(monkeypatch, newer(tmp_path / "a", "800000 100000\n"), machine=4)

    assert quota() is None
    assert usable_cores() == 4


@pytest.mark.parametrize("damaged", ["", "many 100000", "100000"])
def test_a_quota_that_cannot_be_read_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damaged: str) -> None:
    inside(monkeypatch, newer(tmp_path / "a", damaged))

    assert quota() is None


def test_a_quota_whose_use_cannot_be_read_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    group = older(tmp_path / "a", 200_000)
    (group.folder / "cpuacct.usage").unlink()
    inside(monkeypatch, group)

    assert quota() is None


def test_only_processors_that_this_process_may_use_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inside(monkeypatch, newer(tmp_path / "a", "600000 100000\n"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 7}, raising=False)

    assert usable_cores() == 2


def test_in_a_container_its_quota_is_the_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = 100.0
    monkeypatch.setattr(cores.time, "monotonic", lambda: now)
    inside(monkeypatch, newer(tmp_path / "a", "200000 100000\n"))
    busy = Busy()

    now += 10
    newer(tmp_path / "a", "200000 100000\n", used=15_000_000)
    assert busy.percent() == pytest.approx(75)  # 15 of 20 seconds that its two cores had

    now += 0.01
    assert busy.percent() is None  # too soon
    now += 1
    newer(tmp_path / "a", "200000 100000\n", used=19_000_000)
    assert busy.percent() == 100


def test_without_a_quota_the_machine_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    now, times = 100.0, psutil.cpu_times()
    monkeypatch.setattr(cores.time, "monotonic", lambda: now)
    monkeypatch.setattr(psutil, "cpu_times", lambda: times)
    inside(monkeypatch)
    busy = Busy()

    now += 10
    times = times._replace(user=times.user + 30, idle=times.idle + 70)
    if hasattr(times, "guest"):
        times = times._replace(guest=times.guest + 30)  # counted as user time already
    assert busy.percent() == pytest.approx(30)
    now += 10
    assert busy.percent() is None  # the machine's clock stood still


def test_this_machine_tells_how_busy_it_is() -> None:
    assert 0 < usable_cores() <= (os.cpu_count() or 1)

    busy = Busy()
    busy._at -= Busy.SHORTEST
    sum(range(3_000_000))
    percent = busy.percent()
    assert percent is None or 0 <= percent <= 100
