"""How much memory a model needs, and whether that fits."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import ConfigError
from app.models.facts import ModelFacts, plain_dtype
from app.models.machine import Memory

_WIDTH = {"float16": 2, "bfloat16": 2, "float32": 4}  # bytes of one number
_FRAMEWORK = 600_000_000  # bytes; what transformers took on a CPU
_WORKING = 0.05  # of the weights
_GB = 10**9


@dataclass(frozen=True)
class MemoryNeed:
    """In bytes; ``kv_cache`` is what the context takes."""

    weights: int
    kv_cache: int
    overhead: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv_cache + self.overhead


@dataclass(frozen=True)
class Fit:
    """A need, the memory there is, and whether the one fits the other."""

    need: MemoryNeed
    memory: Memory
    fits: bool

    def sentence(self) -> str:
        """Both in one line without a full stop, in GB of 10^9 bytes."""
        need, memory = self.need, self.memory
        parts = f"weights {_gb(need.weights)}, context {_gb(need.kv_cache)}, overhead {_gb(need.overhead)}"
        there = f"{_gb(memory.free)} of {_gb(memory.total)} are free on {memory.name}"
        return f"needs about {_gb(need.total)} ({parts}); {there}"


def estimate(
    facts: ModelFacts, *, context: int, sequences: int = 1, kv_bytes: float = 2.0, dtype: str | None = None
) -> MemoryNeed:
    """What a model needs to answer ``sequences`` conversations of ``context`` tokens each at once.

    Weights are as large as they are stored. ``dtype`` names another type that they are loaded in; those of a
    quantized model stay as they are.

    The attention keeps a key and a value for each token: 2 · layers · kv_heads · head_dim numbers of ``kv_bytes``
    bytes (16-bit: 2, FP8: 1). Source: Ainslie et al., "GQA", https://arxiv.org/abs/2305.13245; it gives
    128 KiB a token for Llama 3 8B and 56 KiB for Qwen2.5 7B. Layers with a sliding window keep no more tokens
    than that; layers with latent attention (DeepSeek) keep less, as vLLM does: transformers keeps all of it.
    It is 0 where the model's files do not tell.

    Overhead is an estimate as well: 0.6 GB for the framework, and 5 % of the weights for what an answer takes
    beside them.

    Raises:
        ConfigError: ``dtype`` is no type that weights are loaded in.
    """
    weights = _weights(facts, dtype)
    tokens = [(group, min(context, group.window or context)) for group in facts.kv]
    kept = sum(group.layers * group.numbers * length for group, length in tokens)
    return MemoryNeed(weights, int(kept * kv_bytes * sequences), _FRAMEWORK + int(_WORKING * weights))


def fit(need: MemoryNeed, memory: Memory) -> Fit:
    """Whether there is as much free memory as is needed."""
    return Fit(need, memory, need.total <= memory.free)


def _weights(facts: ModelFacts, dtype: str | None) -> int:
    wanted = plain_dtype(dtype)
    if wanted in (None, "auto"):
        return facts.weight_bytes
    if wanted not in _WIDTH:
        raise ConfigError(f"Weights are not loaded as {dtype}.", f"Choose auto, {', '.join(_WIDTH)}.")
    stored = _WIDTH.get(facts.dtype or "")
    if stored is None or facts.quantization:
        return facts.weight_bytes
    return facts.weight_bytes * _WIDTH[wanted] // stored


def _gb(size: int) -> str:
    return f"{size / _GB:.1f} GB"
