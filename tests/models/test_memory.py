"""What models need, against figures that are known; and the sentence about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ConfigError
from app.models.attention import language_part, read_attention
from app.models.facts import ModelFacts
from app.models.machine import Memory
from app.models.memory import Fit, MemoryNeed, estimate, fit
from tests.models import known
from tests.models.known import LLAMA_3_8B

GPU = Memory("cuda", "NVIDIA RTX 4090", 22_900_000_000, 24_000_000_000)


def facts(config: dict[str, Any] = LLAMA_3_8B, weight_bytes: int = 16_000_000_000, **changes: Any) -> ModelFacts:
    found = read_attention(language_part(config), {})
    made = ModelFacts(
        folder=Path("m"), name="m", architecture="", model_type="", weight_bytes=weight_bytes, parameters=None,
        dtype="bfloat16", layers=found.layers, heads=found.heads, kv_heads=found.kv_heads, head_dim=found.head_dim,
        context_length=None, vocab_size=None, quantization=None, has_chat_template=True, pickled=False, kv=found.kv,
    )  # fmt: skip
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("config", "context", "size"),
    [
        (LLAMA_3_8B, 1, 128 * 1024),
        (LLAMA_3_8B, 8192, 2**30),
        (known.QWEN_2_5_7B, 1, 56 * 1024),
        (known.MISTRAL_7B_V01, 1, 128 * 1024),
        (known.MISTRAL_7B_V01, 4096, 2**29),
        (known.MISTRAL_7B_V01, 32768, 2**29),
        (known.GEMMA_2_9B, 8192, 21 * 8192 * (4096 + 8192)),
        (known.GEMMA_3_27B, 131072, 2 * 4096 * (52 * 1024 + 10 * 131072)),
        (known.DEEPSEEK_V3, 1, 70_272),  # the 70 KB a token of its report
        (known.GPT_OSS_20B, 131072, 2 * 1024 * 12 * (128 + 131072)),
        (known.QWEN3_NEXT, 1, 24 * 1024),
        ({}, 8192, 0),
    ],
)
def test_the_context_takes_what_is_known_of_it(config: dict[str, Any], context: int, size: int) -> None:
    assert estimate(facts(config), context=context).kv_cache == size


@given(st.integers(0, 10**6), st.integers(1, 64))
def test_every_conversation_takes_its_own_context(context: int, sequences: int) -> None:
    one = estimate(facts(), context=context)
    many = estimate(facts(), context=context, sequences=sequences)

    assert many.kv_cache == one.kv_cache * sequences
    assert (many.weights, many.overhead) == (one.weights, one.overhead)


def test_a_smaller_number_for_the_cache_halves_it() -> None:
    assert estimate(facts(), context=8192, kv_bytes=1).kv_cache == 2**29


@pytest.mark.parametrize(
    ("stored", "dtype", "factor"),
    [
        ("bfloat16", None, 1),
        ("bfloat16", "auto", 1),
        ("bfloat16", "float16", 1),
        ("bfloat16", "float32", 2),
        ("float32", "half", 0.5),
        ("float32", "torch.bfloat16", 0.5),
        ("float16", "float", 2),
        ("int32", "float16", 1),
        (None, "float16", 1),
    ],
)
def test_weights_take_the_room_of_the_type_they_are_loaded_in(
    stored: str | None, dtype: str | None, factor: float
) -> None:
    need = estimate(facts(dtype=stored), context=0, dtype=dtype)

    assert need.weights == 16_000_000_000 * factor


def test_quantized_weights_stay_as_they_are() -> None:
    awq = facts(dtype="float16", quantization="awq")

    assert estimate(awq, context=0, dtype="float32").weights == awq.weight_bytes


def test_a_type_that_weights_do_not_have_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        estimate(facts(), context=0, dtype="int8")

    assert str(caught.value) == "Weights are not loaded as int8. Choose auto, float16, bfloat16, float32."


def test_the_overhead_grows_with_the_weights() -> None:
    assert estimate(facts(weight_bytes=0), context=0) == MemoryNeed(0, 0, 600_000_000)
    assert estimate(facts(), context=0).overhead == 1_400_000_000


def test_a_need_fits_when_as_much_is_free() -> None:
    need = MemoryNeed(15_200_000_000, 1_000_000_000, 1_000_000_000)

    assert need.total == 17_200_000_000
    assert fit(need, GPU) == Fit(need, GPU, True)
    assert fit(need, replace(GPU, free=need.total)).fits
    assert not fit(need, replace(GPU, free=need.total - 1)).fits


def test_the_sentence_tells_both_sides() -> None:
    need = MemoryNeed(15_200_000_000, 1_000_000_000, 1_000_000_000)

    assert fit(need, GPU).sentence() == (
        "needs about 17.2 GB (weights 15.2 GB, context 1.0 GB, overhead 1.0 GB); "
        "22.9 GB of 24.0 GB are free on NVIDIA RTX 4090"
    )
