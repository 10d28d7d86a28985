"""What the engine ``hf`` says about devices, memory and quantizations before anything heavy is imported."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.config import load_settings
from app.engines import hf_place
from app.engines.hf_place import built_with_cuda, check_loadable, find_kind, reckon, window
from app.errors import EngineUnavailable
from app.models import Memory, ModelFacts
from app.models.attention import KVLayers

LLAMA = ModelFacts(  # Llama 3 8B
    folder=Path("llama"),
    name="llama",
    architecture="LlamaForCausalLM",
    model_type="llama",
    weight_bytes=16_000_000_000,
    parameters=8_000_000_000,
    dtype="bfloat16",
    layers=32,
    heads=32,
    kv_heads=8,
    head_dim=128,
    context_length=131_072,
    vocab_size=128_256,
    quantization=None,
    has_chat_template=True,
    pickled=False,
    kv=(KVLayers(32, 2048, None),),
)
DRAFT = replace(LLAMA, name="draft", weight_bytes=1_000_000_000, kv=(KVLayers(16, 1024, None),))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a GPU of 24 GB, 20 of them free."""
    gpu = Memory("cuda", "NVIDIA RTX 4090", 20 * 10**9, 24 * 10**9)
    ram = Memory("cpu", "this machine", 60 * 10**9, 64 * 10**9)
    monkeypatch.setattr(hf_place, "free_memory", lambda device: ram if device == "cpu" else gpu)
    monkeypatch.setattr(hf_place, "built_with_cuda", lambda: True)


def test_auto_takes_the_gpu_that_pytorch_can_use(machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_kind("auto") == find_kind("cuda:1") == "cuda"
    assert find_kind("cpu") == "cpu"
    monkeypatch.setattr(hf_place, "built_with_cuda", lambda: False)
    monkeypatch.setattr(sys, "platform", "linux")

    assert find_kind("auto") == "cpu"
    with pytest.raises(EngineUnavailable, match="built without CUDA"):
        find_kind("cuda:1")


def test_whether_pytorch_was_built_with_cuda_is_known_without_importing_it() -> None:
    import torch

    assert built_with_cuda() == (torch.version.cuda is not None)


def test_a_long_context_is_put_to_use_as_far_as_the_device_can() -> None:
    assert window(LLAMA, "cuda") == 32_768
    assert window(LLAMA, "cpu") == window(LLAMA, "mps") == 8192
    assert window(replace(LLAMA, context_length=2048), "cuda") == 2048
    assert window(replace(LLAMA, context_length=None), "cuda") == 8192


def test_memory_is_reckoned_for_all_readers_in_the_format_that_is_asked_for(machine: None) -> None:
    each = 4096 * 128 * 1024  # bytes of 4096 tokens at 128 KiB
    two = reckon([LLAMA], "cuda", load_settings(hf_max_batch=2))
    wide = reckon([LLAMA], "cpu", load_settings(hf_max_batch=1, hf_dtype="float32"))

    assert (two.need.weights, two.need.kv_cache, two.fits) == (16_000_000_000, 2 * each, True)
    assert (wide.need.weights, wide.need.kv_cache, wide.fits) == (32_000_000_000, 2 * each, True)
    assert not reckon([LLAMA], "cuda", load_settings(hf_max_batch=8)).fits


def test_a_draft_takes_memory_too_but_readers_come_one_by_one_then(machine: None) -> None:
    both = reckon([LLAMA, DRAFT], "cuda", load_settings(hf_max_batch=8))

    assert both.need.weights == 17_000_000_000
    assert both.need.kv_cache == 4096 * (128 + 32) * 1024
    assert both.fits


@pytest.mark.parametrize("method", ["awq", "gptq", "bitsandbytes", "hqq"])
def test_a_quantization_whose_package_is_missing_is_named(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = replace(LLAMA, quantization=method)
    monkeypatch.setattr(hf_place, "installed", lambda package: False)
    with pytest.raises(EngineUnavailable, match=method) as caught:
        check_loadable(facts, "cuda", allow_pickle=False)
    assert "Install" in caught.value.hint

    monkeypatch.setattr(hf_place, "installed", lambda package: True)
    check_loadable(facts, "cuda", allow_pickle=False)


def test_a_quantization_for_gpus_is_refused_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf_place, "installed", lambda package: True)
    with pytest.raises(EngineUnavailable, match="NVIDIA GPU only"):
        check_loadable(replace(LLAMA, quantization="fbgemm_fp8"), "cpu", allow_pickle=False)


def test_pickled_weights_want_to_be_allowed() -> None:
    facts = replace(LLAMA, pickled=True)
    with pytest.raises(EngineUnavailable) as caught:
        check_loadable(facts, "cpu", allow_pickle=False)

    assert "ALLOW_PICKLE" in caught.value.hint
    check_loadable(facts, "cpu", allow_pickle=True)
