"""A real vLLM against real transformers, on the same weights."""

from __future__ import annotations

from typing import Any

import torch

from app.benchmark.comparisons.comparing import Surroundings, compare
from app.benchmark.comparisons.request import CompareRequest
from app.benchmark.notes import note
from app.benchmark.prompts import PromptSource
from app.config import Settings
from app.engines.registry import create
from app.engines.vllm import VllmEngine


class Kept:
    """The engine that all tests here share: it stays when the comparison closes it."""

    def __init__(self, engine: VllmEngine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def close(self) -> None: ...


def test_the_same_weights_write_as_many_tokens_and_are_measured_in_turn(loaded: VllmEngine) -> None:
    settings = loaded._settings.model_copy(update={"hf_device": "cpu"})

    def make(name: str, of: Settings) -> Any:
        return Kept(loaded) if name == "vllm" else create(name, of)

    request = CompareRequest(
        ("vllm", "hf"), readers=(1, 4), turns=(1, 2), repeats=2, max_tokens=12, requests=4,
        prompts=PromptSource(tokens=30),
    )  # fmt: skip
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # vLLM's own processes want the other core
    try:
        report = compare(request, Surroundings(settings, make=make))
    finally:
        torch.set_num_threads(before)

    vllm, hf = report.contestants
    assert (vllm.problem, hf.problem) == ("", "")
    assert vllm.weights == hf.weights and note("same_weights") in report.notes
    assert (vllm.dtype, hf.dtype) == ("bfloat16", "bfloat16")
    assert report.interleaved and note("free_length", one="vllm") not in report.notes
    assert len(report.cells) == 2 * 2 * 2
    for cell in report.cells:
        assert (cell.failed, cell.output_tokens, len(cell.tokens_per_second)) == (0, 12, 2)
        assert all(value > 0 for value in cell.ttft_ms) and len(cell.tpot_ms) <= 2
    assert loaded.check().ready
