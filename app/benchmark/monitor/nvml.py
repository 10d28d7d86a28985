"""NVIDIA's cards, asked through the driver's own library (NVML). Nothing here needs CUDA, torch, or a card at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from app.errors import BenchmarkError, one_line

VISIBLE = "CUDA_VISIBLE_DEVICES"


class NoGpu(Exception):
    """Why no card can be asked, in one line."""


@dataclass(frozen=True)
class Card:
    """``index`` is the number that nvidia-smi shows; ``nvml`` is the library while it is open."""

    index: int
    uuid: str
    name: str
    nvml: Any
    handle: Any

    def ask(self, query: str, *more: Any) -> Any:
        """What NVML's ``query`` says of this card; None where the card, its driver or a MIG mode does not tell."""
        try:
            return getattr(self.nvml, query)(self.handle, *more)
        except self.nvml.NVMLError:
            return None

    def memory(self) -> tuple[int, int] | None:
        """What is taken of its memory, by anybody, and all of it; bytes."""
        found = self.ask("nvmlDeviceGetMemoryInfo")
        return None if found is None else (found.used, found.total)


@contextmanager
def opened() -> Iterator[Any]:
    """NVML for the time of the context. It counts who uses it, so that nobody else's use ends with ours.

    Raises:
        NoGpu: there is no driver, or it fails.
    """
    try:
        import pynvml
    except ImportError:
        raise NoGpu("nvidia-ml-py is not installed.") from None
    try:
        pynvml.nvmlInit()
    except (pynvml.NVMLError, OSError) as error:
        raise NoGpu(f"No NVIDIA driver answers: {one_line(error)}.") from None
    try:
        yield pynvml
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def cards(nvml: Any, chosen: Sequence[str] | None = None) -> list[Card]:
    """Those that are ``chosen`` by nvidia-smi's number or by UUID (its beginning is enough; also a MIG instance's).

    None stands for all, or those that CUDA_VISIBLE_DEVICES leaves to us. NVML itself does not know that variable, and
    counts cards in the order of their slots. CUDA may count otherwise on a machine with different cards, unless
    CUDA_DEVICE_ORDER is PCI_BUS_ID: UUIDs are safe there.

    Raises:
        NoGpu: no card is there, or none is left by CUDA_VISIBLE_DEVICES.
        BenchmarkError: a chosen one is not there.
    """
    every = list(_every(nvml))
    if not every:
        raise NoGpu("The NVIDIA driver shows no GPU that can be asked.")
    if chosen is None:
        return _visible(nvml, every)
    found = [_named(nvml, every, name.strip()) for name in chosen]
    for name, card in zip(chosen, found, strict=True):
        if card is None:
            there = ", ".join(f"{each.index} ({each.name}, {each.uuid})" for each in every)
            raise BenchmarkError(f"There is no GPU {name}.", f"These are there: {there}.")
    return [card for card in every if card in found]


def _every(nvml: Any) -> Iterator[Card]:
    try:
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        raise NoGpu(f"The NVIDIA driver does not list its GPUs: {one_line(error)}.") from None
    for index in range(count):
        with suppress(nvml.NVMLError):  # one that fell off its bus must not hide the others
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            yield Card(index, nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle), nvml, handle)


def _visible(nvml: Any, every: list[Card]) -> list[Card]:
    names = os.environ.get(VISIBLE)
    if names is None:
        return every
    found = [_named(nvml, every, name.strip()) for name in names.split(",")]
    seen = [card for card in every if card in found]
    if not seen:
        raise NoGpu(f"{VISIBLE}={names} leaves no GPU of this machine.")
    return seen


def _named(nvml: Any, every: list[Card], name: str) -> Card | None:
    uuid = name
    if name.startswith("MIG-"):
        # A part of a card: only the card as a whole has a power meter.
        with suppress(nvml.NVMLError):
            whole = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvml.nvmlDeviceGetHandleByUUID(name))
            uuid = nvml.nvmlDeviceGetUUID(whole)
    return next((card for card in every if name == str(card.index) or _begins(card.uuid, uuid)), None)


def _begins(uuid: str, name: str) -> bool:
    return name.startswith("GPU-") and uuid.startswith(name)
