"""The processors that this process may use, and how busy they are. A container has a quota of them, or all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from app.models.control_groups import Group, around


@dataclass(frozen=True)
class Quota:
    """How many ``cores`` the processes of a control group may keep busy."""

    cores: float
    group: Group

    def used(self) -> float:
        """The seconds that its cores were busy until now. Raises OSError, ValueError where that cannot be read."""
        if self.group.old:
            return int((self.group.folder / "cpuacct.usage").read_text()) / 1e9
        first = (self.group.folder / "cpu.stat").read_text().split()  # "usage_usec 123 user_usec …"
        return int(first[1]) / 1e6


def quota() -> Quota | None:
    """The tightest one around this process; None where no container limits it below the machine's cores."""
    found = [limit for group in around("cpu") for limit in _limits(group) if limit.cores < (os.cpu_count() or 1)]
    return min(found, key=lambda limit: limit.cores, default=None)


def usable_cores() -> float:
    """Those that this process may run on, and of these what its quota allows."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = quota()
    return float(allowed) if limit is None else min(float(allowed), limit.cores)


def _limits(group: Group) -> Iterator[Quota]:
    """Source: the Linux kernel's documentation, cgroup-v2 and scheduler/sched-bwc."""
    folder = group.folder
    try:
        if group.old:
            most, period = (folder / "cpu.cfs_quota_us").read_text(), (folder / "cpu.cfs_period_us").read_text()
            limited = int(most) > 0
        else:
            most, period = (folder / "cpu.max").read_text().split()
            limited = most != "max"
        if limited:
            found = Quota(int(most) / int(period), group)
            found.used()
            yield found
    except (OSError, ValueError, IndexError):  # no such group, or one without limits
        return


class Busy:
    """How busy the processors are between two looks: the machine's, or, in a container with a quota, that quota."""

    SHORTEST = 0.05
    """Seconds between two looks: the machine counts in hundredths of a second."""

    def __init__(self) -> None:
        self._quota = quota()
        self._at = time.monotonic()
        self._before = self._now()

    def percent(self) -> float | None:
        """Since the look before, 0 to 100 of all cores; None where that was a moment ago, or cannot be told."""
        at = time.monotonic()
        if at - self._at < self.SHORTEST:
            return None
        now = self._now()
        busy, of = now[0] - self._before[0], now[1] - self._before[1]
        self._at, self._before = at, now
        return min(100.0, max(0.0, 100 * busy / of)) if of > 0 else None

    def _now(self) -> tuple[float, float]:
        """Seconds that cores were busy, and that they could have been."""
        if self._quota is not None:
            return self._quota.used(), time.monotonic() * self._quota.cores
        times = psutil.cpu_times()._asdict()
        for name in ("guest", "guest_nice"):  # Linux counts them as user and nice already
            times.pop(name, None)
        every = sum(times.values())
        return every - times["idle"] - times.get("iowait", 0.0), every
