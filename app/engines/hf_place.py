"""Where transformers would compute, what it could load there, and for how long a context; told without importing it."""

from __future__ import annotations

import platform
import re
import sys
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from app.engines.base import DEFAULT_CONTEXT_WINDOW
from app.errors import EngineError, EngineUnavailable
from app.models import Fit, Memory, MemoryNeed, estimate, fit, free_memory

if TYPE_CHECKING:
    from app.config import Settings
    from app.models import ModelFacts

Kind = Literal["cpu", "cuda", "mps"]

LONGEST = {"cpu": 8192, "mps": 8192, "cuda": 32768}
"""Tokens of context that are put to use; a CPU would read for minutes, and the cache of more fills a GPU."""
USUAL = 4096
"""Tokens of context that memory is reckoned with, for each of HF_MAX_BATCH readers: few answers fill the window."""
NEEDS = {  # quantizations and the packages that transformers runs them with
    "awq": ("gptqmodel", "accelerate"),
    "gptq": ("gptqmodel", "optimum"),
    "bitsandbytes": ("bitsandbytes", "accelerate"),
    "compressed-tensors": ("compressed_tensors",),
    "fp8": ("accelerate",),
    "fbgemm_fp8": ("fbgemm_gpu", "accelerate"),
    "mxfp4": ("accelerate",),
    "torchao": ("torchao",),
    "quanto": ("optimum.quanto", "accelerate"),
    "hqq": ("hqq",),
}
GPU_ONLY = ("fbgemm_fp8", "hqq")


def window(facts: ModelFacts, kind: str) -> int:
    """Tokens that a prompt and its answer may have together."""
    return min(facts.context_length or DEFAULT_CONTEXT_WINDOW, LONGEST.get(kind, LONGEST["cpu"]))


def find_kind(wanted: str) -> Kind:
    """The kind of device that HF_DEVICE means.

    Raises:
        EngineUnavailable: there is none of that kind, or PyTorch here was built without it.
    """
    kind = wanted.partition(":")[0]
    if kind == "auto":
        if built_with_cuda() and free_memory("auto").device == "cuda":
            return "cuda"
        return "mps" if _has_mps() else "cpu"
    if kind == "cpu":
        return "cpu"
    if kind == "mps" and _has_mps():
        return "mps"
    if kind == "cuda" and built_with_cuda():
        free_memory("cuda")
        return "cuda"
    reason = "which only Macs with Apple silicon have" if kind == "mps" else "but PyTorch here was built without CUDA"
    raise EngineUnavailable(f"HF_DEVICE is {wanted}, {reason}.", "Set HF_DEVICE to auto, or to cpu.")


def check_loadable(facts: ModelFacts, kind: Kind, *, allow_pickle: bool) -> None:
    """Raises EngineUnavailable for weights that would not be loaded here."""
    if facts.pickled and not allow_pickle:
        raise EngineUnavailable(
            f"{facts.name} has only pickled weights, which can run code when they are loaded.",
            "Take its safetensors edition, or set ALLOW_PICKLE=true if you trust it.",
        )
    method = facts.quantization
    if not method:
        return
    missing = [package for package in NEEDS.get(method, ()) if not installed(package)]
    if missing:
        raise EngineUnavailable(
            f"{facts.name} is quantized ({method}), which transformers runs only with {' and '.join(missing)}.",
            f"Install {' and '.join(missing)}, choose a model that is not quantized, or use vLLM.",
        )
    if method in GPU_ONLY and kind != "cuda":
        raise EngineUnavailable(
            f"{facts.name} is quantized ({method}), which runs on an NVIDIA GPU only.",
            "Choose a model that is not quantized, or Ollama.",
        )


def reckon(models: list[ModelFacts], kind: Kind, settings: Settings) -> Fit:
    """What ``models`` (one, or one and its draft) need together with all readers, and what is free."""
    wanted = None if settings.hf_dtype == "auto" else settings.hf_dtype
    readers = 1 if len(models) > 1 else settings.hf_max_batch
    needs = []
    for facts in models:
        dtype = wanted or facts.dtype
        context = min(window(facts, kind), USUAL)
        needs.append(
            estimate(facts, context=context, sequences=readers, kv_bytes=4 if dtype == "float32" else 2, dtype=wanted)
        )
    need = MemoryNeed(
        sum(need.weights for need in needs),
        sum(need.kv_cache for need in needs),
        max(need.overhead for need in needs),
    )
    return fit(need, _memory(kind))


def _memory(kind: Kind) -> Memory:
    try:
        return free_memory("cuda" if kind == "cuda" else "cpu")
    except EngineError:  # the GPU did not answer this time
        return free_memory("cpu")


def _has_mps() -> bool:
    return sys.platform == "darwin" and platform.machine() == "arm64"


def installed(package: str) -> bool:
    """Whether ``package`` could be imported; it is not."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False


@lru_cache(maxsize=1)
def built_with_cuda() -> bool:
    """Whether the installed PyTorch can use an NVIDIA GPU, read from its ``version.py``: importing takes seconds."""
    spec = find_spec("torch")
    if spec is None or not spec.origin:
        return False
    try:
        text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.search(r"^cuda\b.*=\s*['\"]", text, re.MULTILINE) is not None
