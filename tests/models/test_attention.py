"""What attention keeps of a token, for models whose numbers are known."""

from __future__ import annotations

from typing import Any

import pytest

from app.models.attention import Attention, KVLayers, language_part, read_attention
from app.models.safetensors import Tensor
from tests.models.known import (
    DEEPSEEK_V3,
    FALCON_7B,
    FALCON_40B,
    GEMMA_2_9B,
    GEMMA_3_4B,
    GEMMA_3_27B,
    GLM_3_6B,
    GPT_2,
    GPT_OSS_20B,
    LLAMA_3_8B,
    MISTRAL_7B_V01,
    QWEN3_NEXT,
    QWEN_2_5_7B,
)


def attention(config: dict[str, Any], tensors: dict[str, Tensor] | None = None) -> Attention:
    return read_attention(language_part(config), tensors or {})


def projections(
    layers: int, widths: dict[str, int], prefix: str = "model.", dtype: str = "bfloat16"
) -> dict[str, Tensor]:
    """The weights that bring a token to its queries, keys and values; only their first side matters."""
    return {
        f"{prefix}layers.{layer}.self_attn.{name}.weight": Tensor(dtype, (width, 8), width * 16)
        for layer in range(layers)
        for name, width in widths.items()
    }


@pytest.mark.parametrize(
    ("config", "shape", "kv"),
    [
        (LLAMA_3_8B, (32, 32, 8, 128), [KVLayers(32, 2048, None)]),
        (QWEN_2_5_7B, (28, 28, 4, 128), [KVLayers(28, 1024, None)]),
        (QWEN_2_5_7B | {"use_sliding_window": True, "max_window_layers": 21}, (28, 28, 4, 128),
         [KVLayers(21, 1024, None), KVLayers(7, 1024, 131072)]),
        (MISTRAL_7B_V01, (32, 32, 8, 128), [KVLayers(32, 2048, 4096)]),
        (MISTRAL_7B_V01 | {"sliding_window": None}, (32, 32, 8, 128), [KVLayers(32, 2048, None)]),
        (MISTRAL_7B_V01 | {"sliding_window": 0}, (32, 32, 8, 128), [KVLayers(32, 2048, None)]),
        (GEMMA_2_9B, (42, 16, 8, 256), [KVLayers(21, 4096, 4096), KVLayers(21, 4096, None)]),
        (GEMMA_3_4B, (34, 8, 4, 256), [KVLayers(29, 2048, 1024), KVLayers(5, 2048, None)]),
        (GEMMA_3_27B, (62, 32, 16, 128), [KVLayers(52, 4096, 1024), KVLayers(10, 4096, None)]),
        (DEEPSEEK_V3, (61, 128, 128, 56), [KVLayers(61, 576, None)]),
        (GPT_OSS_20B, (24, 64, 8, 64), [KVLayers(12, 1024, 128), KVLayers(12, 1024, None)]),
        (QWEN3_NEXT, (48, 16, 2, 256), [KVLayers(12, 1024, None)]),
        (FALCON_7B, (32, 71, 1, 64), [KVLayers(32, 128, None)]),
        (FALCON_40B, (60, 128, 8, 64), [KVLayers(60, 1024, None)]),
        (GLM_3_6B, (28, 32, 2, 128), [KVLayers(28, 512, None)]),
        (GPT_2, (12, 12, 12, 64), [KVLayers(12, 1536, None)]),
    ],
)  # fmt: skip
def test_known_models(config: dict[str, Any], shape: tuple[int, ...], kv: list[KVLayers]) -> None:
    found = attention(config)

    assert (found.layers, found.heads, found.kv_heads, found.head_dim) == shape
    assert list(found.kv) == kv


def test_a_config_that_tells_nothing_gives_nothing() -> None:
    assert attention({"text_config": [], "num_hidden_layers": "many"}) == Attention(None, None, None, None, ())


def test_layers_without_attention_keep_nothing() -> None:
    kinds = ["mamba", "attention", "mlp", "hybrid", "conv", "linear_attention", "full_attention"]

    found = attention(LLAMA_3_8B | {"num_hidden_layers": 7, "layers_block_type": kinds})

    assert list(found.kv) == [KVLayers(3, 2048, None)]


def test_chunked_attention_looks_back_over_its_chunk() -> None:
    kinds = ["chunked_attention", "chunked_attention", "chunked_attention", "full_attention"]
    config = LLAMA_3_8B | {"num_hidden_layers": 4, "attention_chunk_size": 8192}

    assert list(attention(config | {"layer_types": kinds}).kv) == [KVLayers(3, 2048, 8192), KVLayers(1, 2048, None)]
    assert list(attention(config).kv) == [KVLayers(4, 2048, None)]


def test_weights_tell_what_a_short_config_does_not() -> None:
    """LLaVA 1.5 names its language model and little else; the eyes have layers of their own."""
    config = {"model_type": "llava", "text_config": {"model_type": "llama", "max_position_embeddings": 4096}}
    tensors = projections(32, {"q_proj": 4096, "k_proj": 4096, "v_proj": 4096}, "language_model.model.")
    tensors |= projections(40, {"k_proj": 1024, "v_proj": 1024}, "vision_tower.vision_model.encoder.")

    found = attention(config, tensors)

    assert (found.layers, found.heads) == (32, None)
    assert list(found.kv) == [KVLayers(32, 8192, None)]


def test_a_norm_of_the_keys_tells_the_size_of_a_head() -> None:
    found = attention({}, projections(4, {"q_proj": 2048, "k_proj": 1024, "v_proj": 1024, "k_norm": 256}))

    assert found == Attention(4, 8, 4, 256, (KVLayers(4, 2048, None),))


def test_weights_tell_which_layers_have_attention_and_how_much() -> None:
    tensors = {
        **projections(2, {"k_proj": 512, "v_proj": 512}),
        "model.layers.3.self_attn.k_proj.weight": Tensor("bfloat16", (256, 8), 4096),  # its values are its keys
        "model.layers.32.self_attn.k_proj.weight": Tensor(
            "bfloat16", (1024, 8), 16384
        ),  # a draft's layer, past the last
    }

    assert list(attention(LLAMA_3_8B, tensors).kv) == [KVLayers(2, 1024, None), KVLayers(1, 512, None)]


def test_packed_weights_have_shapes_that_mean_nothing() -> None:
    packed = projections(32, {"k_proj": 2_097_152, "v_proj": 2_097_152}, dtype="uint8")

    assert list(attention(LLAMA_3_8B, packed).kv) == [KVLayers(32, 2048, None)]
