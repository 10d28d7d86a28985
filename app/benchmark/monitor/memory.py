"""How much memory engines take: RAM of this process and of all below it, and of the GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

import psutil

from app.benchmark.monitor.nvml import NoGpu, cards, opened
from app.benchmark.monitor.ticker import Ticker

PERIOD = 0.5
"""Seconds between two looks for a peak: one takes some milliseconds, most of them to find the children."""
STEP = 1.01
"""How much the resident memory has to grow for a close look: with a loaded engine that takes a tenth of a second."""
_PATIENCE = 2.0


class Taken(NamedTuple):
    """Bytes; ``gpu`` is None where no GPU can be asked."""

    ram: int
    gpu: int | None


class Peak:
    """The most of each that was seen so far, of RAM to a hundredth."""

    def __init__(self, gauge: MemoryGauge) -> None:
        self._gauge = gauge
        self._resident = 0.0
        self.ram = 0
        self.gpu: int | None = None

    def look(self) -> None:
        """Once more. Resident memory is cheap to read, counts shared pages twice, and tells when to look closely."""
        resident = sum(map(_resident, _processes()))
        if resident > self._resident * STEP:
            self._resident = resident
            ram, gpu = self._gauge.now()
        else:
            ram, gpu = 0, _gpu()
        self.ram = max(self.ram, ram)
        if gpu is not None:
            self.gpu = max(self.gpu or 0, gpu)


class MemoryGauge:
    """Read it before an engine is loaded, after, and with :meth:`peak` while it writes.

    RAM: a page that several processes share counts once (Linux: PSS), or for none of them (elsewhere: USS); swapped
    out pages do not count. GPUs: what anybody takes on those that CUDA_VISIBLE_DEVICES leaves to us.
    """

    def now(self) -> Taken:
        """At this moment. A process that ends meanwhile counts as ended; one that is not ours to look into, by RSS."""
        return Taken(sum(map(_ram, _processes())), _gpu())

    @contextmanager
    def peak(self) -> Iterator[Peak]:
        """The most that is taken while the context lasts, its beginning and end included."""
        with ExitStack() as stack:
            with suppress(NoGpu):
                stack.enter_context(opened())  # kept open: opening it takes longer than asking
            peak = Peak(self)
            peak.look()
            ticker = Ticker("memory-gauge", PERIOD, peak.look)
            try:
                yield peak
            finally:
                ticker.end(_PATIENCE)


def _processes() -> list[psutil.Process]:
    this = psutil.Process()
    return [this, *this.children(recursive=True)]


def _ram(process: psutil.Process) -> int:
    try:
        found = process.memory_full_info()
        return int(getattr(found, "pss", found.uss))
    except psutil.AccessDenied:
        return _resident(process)
    except psutil.NoSuchProcess:
        return 0


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _gpu() -> int | None:
    try:
        with opened() as nvml:
            known = [memory[0] for card in cards(nvml) if (memory := card.memory()) is not None]
    except NoGpu:
        return None
    return sum(known) if known else None
