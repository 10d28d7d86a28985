"""What a model's attention keeps of each token, from its config.json and, where that is silent, its weights."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.models.safetensors import Tensor

_NESTED = ("text_config", "llm_config", "language_config", "thinker_config")  # of models that also see or hear
_PROJECTION = re.compile(r"(?:.*\.)?layers\.(\d+)\..*\b(q_proj|k_proj|v_proj|k_norm)\.weight")
_OTHER_SENSES = re.compile(r"vision|visual|audio|image|encoder|mtp")
_WHOLE = ("float16", "bfloat16", "float32", "float8_e4m3fn", "int8")  # one number each: shapes mean what they say
_NO_CACHE = re.compile(r".*(linear|mamba|conv|recurrent|delta).*|mlp|moe")  # layers that keep a fixed state at most
# What these config.json leave out, for it is what transformers takes for granted.
_EVERY_NTH_FULL = {"gemma2": 2, "gemma3_text": 6, "cohere2": 4, "gpt_oss": 2}
_UNWRITTEN: dict[str, dict[str, Any]] = {
    "gemma3_text": {
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "max_position_embeddings": 131072,
        "vocab_size": 262208,
    },
}


@dataclass(frozen=True)
class KVLayers:
    """``layers`` layers that each keep ``numbers`` numbers a token, of the last ``window`` tokens (None: of all)."""

    layers: int
    numbers: int
    window: int | None


@dataclass(frozen=True)
class Attention:
    """None where neither config.json nor the weights tell; ``kv`` is empty then."""

    layers: int | None
    heads: int | None
    kv_heads: int | None
    head_dim: int | None
    kv: tuple[KVLayers, ...]


def language_part(config: dict[str, Any]) -> dict[str, Any]:
    """config.json with the settings of its language model brought to the top."""
    for key in _NESTED:
        nested = config.get(key)
        if isinstance(nested, dict):
            inner = {name: value for name, value in language_part(nested).items() if value is not None}
            return {**config, **inner}
    return {**_UNWRITTEN.get(str(config.get("model_type")), {}), **config}


def number(config: dict[str, Any], *keys: str) -> int | None:
    """The first of these keys that holds a whole number above zero."""
    return next((value for key in keys if type(value := config.get(key)) is int and value > 0), None)


def read_attention(config: dict[str, Any], tensors: Mapping[str, Tensor]) -> Attention:
    """``config`` as :func:`language_part` gives it; ``tensors`` by name, empty where unknown."""
    widths = _widths(tensors)
    layers = number(config, "num_hidden_layers", "n_layer", "n_layers", "num_layers") or len(widths) or None
    heads = number(config, "num_attention_heads", "n_head", "n_heads")
    head_dim = number(config, "head_dim", "hidden_size_per_head", "kv_channels")
    hidden = number(config, "hidden_size", "n_embd", "d_model")
    if head_dim is None and heads and hidden:
        head_dim = hidden // heads
    first = next(iter(widths.values()), {})
    head_dim = head_dim or first.get("k_norm")
    if head_dim and not heads:
        heads = first.get("q_proj", 0) // head_dim or None
    kv_heads = _kv_heads(config) or (first["k_proj"] // head_dim if head_dim and "k_proj" in first else heads)
    numbers = _numbers(config, widths, layers or 0, 2 * (kv_heads or 0) * (head_dim or 0))
    windows = _windows(config, layers or 0)
    kept = Counter((size, window) for size, window in zip(numbers, windows, strict=True) if size)
    kv = tuple(KVLayers(count, size, window) for (size, window), count in kept.items())
    return Attention(layers, heads, kv_heads, head_dim, kv)


def _kv_heads(config: dict[str, Any]) -> int | None:
    found = number(
        config, "num_key_value_heads", "n_head_kv", "num_kv_heads", "multi_query_group_num", "num_attention_groups"
    )
    single = config.get("multi_query") is True and not config.get("new_decoder_architecture")  # Falcon, StarCoder
    return 1 if single and "multi_query_group_num" not in config else found


def _widths(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, int]]:
    """By layer, how many numbers its projections give a token; empty where they are fused or packed."""
    found: dict[int, dict[str, int]] = {}
    for name, tensor in tensors.items():
        match = _PROJECTION.fullmatch(name)
        if match and tensor.dtype in _WHOLE and tensor.shape and not _OTHER_SENSES.search(name):
            found.setdefault(int(match[1]), {})[match[2]] = tensor.shape[0]
    return {layer: found[layer] for layer in sorted(found)}


def _numbers(config: dict[str, Any], widths: dict[int, dict[str, int]], layers: int, usual: int) -> list[int]:
    """How many numbers each layer keeps a token."""
    latent = number(config, "kv_lora_rank")
    if latent:
        # Multi-head latent attention keeps one compressed vector and the rotary part of the key:
        # DeepSeek-V2, https://arxiv.org/abs/2405.04434, table 1.
        return [latent + (number(config, "qk_rope_head_dim") or 0)] * layers
    if any("k_proj" in width for width in widths.values()):
        # The weights know best: hybrids have attention in some layers only, others differ from layer to layer.
        each = (widths.get(layer, {}) for layer in range(layers))
        return [width.get("k_proj", 0) + width.get("v_proj", width.get("k_proj", 0)) for width in each]
    return [0 if _NO_CACHE.fullmatch(kind) else usual for kind in _kinds(config, layers)]


def _kinds(config: dict[str, Any], layers: int) -> list[str]:
    """What each layer is, in config.json's words; empty words where it has none."""
    for key in ("layer_types", "layers_block_type"):
        kinds = config.get(key)
        if isinstance(kinds, list) and len(kinds) >= layers:
            return [str(kind) for kind in kinds[:layers]]
    every = number(config, "full_attention_interval")
    if every:
        return ["" if layer % every == every - 1 else "linear_attention" for layer in range(layers)]
    return [""] * layers


def _windows(config: dict[str, Any], layers: int) -> list[int | None]:
    """How many tokens back each layer looks, None for all the way."""
    window = number(config, "sliding_window", "attention_chunk_size")
    if window is None or config.get("use_sliding_window") is False:
        return [None] * layers
    kinds = _kinds(config, layers)
    if any(kinds):
        return [window if kind.startswith(("sliding", "chunked")) else None for kind in kinds]
    if "attention_chunk_size" in config:  # Llama 4 without its list of layers: rather too much than too little
        return [None] * layers
    full_below = number(config, "max_window_layers") if config.get("use_sliding_window") else None
    every = number(config, "sliding_window_pattern", "_sliding_window_pattern")
    every = every or _EVERY_NTH_FULL.get(str(config.get("model_type")))
    return [
        None if (every and layer % every == every - 1) or (full_below and layer < full_below) else window
        for layer in range(layers)
    ]
