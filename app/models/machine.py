"""How much memory this machine has to give: of its NVIDIA GPU, else its RAM."""

from __future__ import annotations

import ctypes
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.errors import EngineUnavailable
from app.models.control_groups import around

_QUERY = ("nvidia-smi", "--query-gpu=index,uuid,memory.free,memory.total,name", "--format=csv,noheader,nounits")
_PATIENCE = 1.0  # seconds
_MIB = 1024**2


@dataclass(frozen=True)
class Memory:
    """``free`` and ``total`` in bytes; ``name`` is the GPU's, or says whose memory it is."""

    device: Literal["cpu", "cuda"]
    name: str
    free: int
    total: int


def free_memory(device: str = "auto") -> Memory:
    """The memory of ``cuda`` (the NVIDIA GPU with the most that is free), of ``cpu``, or of ``auto``: the better one.

    Raises:
        EngineUnavailable: ``cuda`` is asked for and no NVIDIA GPU answers within a second.
    """
    gpus = [] if device == "cpu" else list(_gpus())
    if gpus:
        return max(gpus, key=lambda gpu: gpu.free)
    if device == "cuda":
        raise EngineUnavailable("No NVIDIA GPU was found.", "See what `nvidia-smi` says.")
    return _machine()


def _gpus() -> Iterator[Memory]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves to us."""
    try:
        done = subprocess.run(
            _QUERY, capture_output=True, encoding="utf-8", errors="replace", timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        index, uuid, free, total, name = [*(field.strip() for field in line.split(",", 4)), *[""] * 4][:5]
        seen = visible is None or any(_names(part.strip(), index, uuid) for part in visible.split(","))
        if seen and free.isdecimal() and total.isdecimal():
            yield Memory("cuda", name, int(free) * _MIB, int(total) * _MIB)


def _names(part: str, index: str, uuid: str) -> bool:
    return part == index or (part.startswith("GPU-") and uuid.startswith(part))


def _machine() -> Memory:
    free, total = _linux() if sys.platform == "linux" else _elsewhere()
    limits = [(limit - used, limit) for limit, used in _containers() if limit < total]
    if limits:
        room, limit = min(limits)
        return Memory("cpu", "this container", max(0, min(free, room)), limit)
    return Memory("cpu", "this machine", free, total)


def _linux(table: Path = Path("/proc/meminfo")) -> tuple[int, int]:
    """What is free without swapping, and all of it; in bytes."""
    lines = (line.split() for line in table.read_text(encoding="ascii").splitlines())
    kib = {line[0]: int(line[1]) for line in lines if len(line) > 1}
    return kib["MemAvailable:"] * 1024, kib["MemTotal:"] * 1024


def _containers(
    groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> Iterator[tuple[int, int]]:
    """Limit and use, in bytes, of each control group around this process."""
    for group in around("memory", groups, root):
        if group.old:
            yield from _limit(group.folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
        else:
            yield from _limit(group.folder, "memory.max", "memory.current", "")


def _limit(folder: Path, limit: str, used: str, prefix: str) -> Iterator[tuple[int, int]]:
    try:
        most, now = int((folder / limit).read_text()), int((folder / used).read_text())
        rows = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such group, or its limit is "max"
        return
    # Cached files make room when memory is wanted; right after a download they fill the whole group.
    yield most, now - sum(int(rows.get(f"{prefix}{kind}_file", 0)) for kind in ("active", "inactive"))


def _elsewhere() -> tuple[int, int]:
    """As :func:`_linux`, on Windows and macOS."""
    if sys.platform == "win32":
        return _windows()
    try:
        memory = importlib.import_module("psutil").virtual_memory()
        return memory.available, memory.total
    except ImportError:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return total // 2, total  # a guess: what is free cannot be asked without a package


def _windows() -> tuple[int, int]:
    """GlobalMemoryStatusEx: two 32-bit and seven 64-bit numbers, first of these the RAM and what is free of it."""
    status = (ctypes.c_uint64 * 8)()
    ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] = ctypes.sizeof(status)
    ctypes.windll.kernel32.GlobalMemoryStatusEx(status)  # type: ignore[attr-defined]
    return int(status[2]), int(status[1])
