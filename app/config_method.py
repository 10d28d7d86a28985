"""INFERENCE_METHOD: how an engine comes by its tokens. Which engines can, and why the others cannot."""

from __future__ import annotations

from typing import Any

from app.config_errors import did_you_mean, shown_value

SPECULATIVE = "speculative"
NGRAM: dict[str, Any] = {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4}
"""What vLLM speculates with where VLLM_CONFIG does not say: the prompt's own words, which answers quote.

Source of the names: vllm/config/speculative.py of vLLM 0.32.
"""
_VLLM_SPECULATES = ("speculative_config", "spec_method", "spec_model")
"""vLLM's engine arguments any of which turns speculation on."""
_OTHERS = "Set LLM_ENGINE to vllm, or to hf with HF_DRAFT_MODEL_PATH; or leave INFERENCE_METHOD empty."
_SERVERS = (
    "Start the server with `LLM_ENGINE=vllm INFERENCE_METHOD=speculative python -m app vllm-serve`, or with its own"
    " --speculative-config, and leave INFERENCE_METHOD empty here; or set LLM_ENGINE to vllm or hf."
)
UNABLE = {
    "ollama": ("Ollama has no speculative decoding", _OTHERS),
    "extractive": ("without a model there is no speculative decoding", _OTHERS),
    "vllm_openai": ("speculative decoding is the affair of the server that is asked", _SERVERS),
}
"""The engines that cannot, why, and what to set."""


def speculating(arguments: dict[str, Any]) -> dict[str, Any]:
    """vLLM's engine ``arguments``, and n-gram speculation where they have no other."""
    if any(arguments.get(name) for name in _VLLM_SPECULATES):
        return arguments
    return {**arguments, "speculative_config": dict(NGRAM)}


def checked(method: str, engine: str) -> str:
    """``method``. Raises ValueError where there is none of this name, or LLM_ENGINE is one that cannot.

    "INFERENCE_METHOD" goes before the error.
    """
    if method not in ("", SPECULATIVE):
        near = did_you_mean(method, [SPECULATIVE], otherwise=False)
        raise ValueError(f"is {shown_value('method', method)}, but must be {SPECULATIVE} or empty{near}")
    if method and engine in UNABLE:
        why, what = UNABLE[engine]
        raise ValueError(f"is {method}, and LLM_ENGINE is {engine}: {why}. {what.removesuffix('.')}")
    return method
