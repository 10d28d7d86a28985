"""The monitor of a run: the machine, its GPUs, and vLLM's own metrics, looked at while something is measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from app.benchmark.monitor.gpu import GpuWatches
from app.benchmark.monitor.machine import MachineWatch
from app.benchmark.monitor.ticker import Ticker
from app.benchmark.monitor.vllm_metrics import MetricsSource
from app.benchmark.monitor.vllm_watch import VllmWatch

_MACHINE_PERIOD, _METRICS_PERIOD = 0.5, 1.0
"""Seconds. A look at the machine takes a millisecond of a core, one at vLLM's metrics four."""
_HARDWARE_PATIENCE, _METRICS_PATIENCE = 1.0, 4.5
"""Seconds that the end waits for a driver, or a server, that hangs: of this one, for two of its looks."""


class Monitor:
    """Enter it right before the load and leave it right after; on an event loop, around ``asyncio.run``.

    It looks from threads of its own, and whatever fails there fails quietly. ``gpus`` are nvidia-smi's numbers or
    UUIDs (see :func:`app.benchmark.monitor.nvml.cards`), ``metrics`` where vLLM tells its own; ``hz`` is how often a
    second the GPUs are looked at.
    """

    def __init__(
        self, gpus: Sequence[str] | None = None, metrics: MetricsSource | None = None, hz: float = 8.0
    ) -> None:
        self._chosen, self._hz = gpus, hz
        self._vllm = None if metrics is None else VllmWatch(metrics)

    def __enter__(self) -> Monitor:
        """Raises BenchmarkError: a GPU was chosen that is not there."""
        self._gpus = GpuWatches(self._chosen)
        if self._vllm is not None:
            self._vllm.look()
        self._samples = 0
        self._ended: float | None = None
        self._machine = MachineWatch()
        self._began = time.monotonic()
        self._look()
        self._hardware = [
            Ticker("benchmark-gpus", 1 / self._hz, self._look),
            Ticker("benchmark-machine", _MACHINE_PERIOD, self._machine.look),
        ]
        self._metrics = None if self._vllm is None else Ticker("benchmark-metrics", _METRICS_PERIOD, self._vllm.look)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended = time.monotonic()
        over = [ticker.end(_HARDWARE_PATIENCE) for ticker in self._hardware]
        if all(over):
            self._gpus.close()  # not while a look hangs in the driver
        if self._metrics is not None:
            self._metrics.end(_METRICS_PATIENCE)

    def resources(self, output_tokens: int | None) -> dict[str, Any]:
        """What was seen until now, or until the end; ``output_tokens`` is what it is told per token of.

        The keys are those of a report's ``resources``. What could not be seen is None, ``gpu_note`` and ``vllm_note``
        say why.
        """
        seconds = (self._ended or time.monotonic()) - self._began
        return {
            "seconds": round(seconds, 4),
            "samples": self._samples,
            "hz": self._hz,
            "cpu": self._machine.cpu(seconds, output_tokens),
            "memory": self._machine.memory(),
            "gpus": self._gpus.report(output_tokens),
            "gpu_note": self._gpus.note,
            "vllm": None if self._vllm is None else self._vllm.report(),
            "vllm_note": "" if self._vllm is None else self._vllm.note,
        }

    def _look(self) -> None:
        self._gpus.look(time.monotonic())
        self._samples += 1
