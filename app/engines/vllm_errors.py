"""What vLLM's failures mean: its words, one line of them, in errors of ours."""

from __future__ import annotations

import re

from app.errors import (
    ContextTooLong,
    EngineError,
    EngineUnavailable,
    HotswapError,
    ModelDamaged,
    OutOfMemory,
    one_line,
)

SEE_LOG = "See vLLM's own log with LOG_LEVEL=DEBUG."
_LONGEST = 250  # characters of vLLM's words that a reader is shown
_LISTS = re.compile(r" Supported architectures: .*")  # hundreds

_MEMORY = re.compile(
    r"out of memory|OutOfMemory|MemoryError|can(?:'t|not) allocate|Available memory on node|Free memory on device|"
    r"No available memory|KV cache (?:memory|is needed)|less than desired \w+ memory|insufficient memory",
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(
    r"architectures? .*(?:not supported|not recogni[sz]e|no vLLM implementation|failed to be inspected)|"
    r"does not recogni[sz]e this architecture|model type .* not recogni[sz]e|unknown model_type|"
    r"does not support --?runner|not a text.generation model",
    re.IGNORECASE,
)
_REMOTE_CODE = re.compile(r"trust[_ -]remote[_ -]code", re.IGNORECASE)
_DAMAGED = re.compile(
    r"Safetensor|deserializing header|UnpicklingError|EOFError|unexpected end|size mismatch|shape|"
    r"not initialized from checkpoint|no module or parameter named|JSONDecodeError|KeyError|"
    r"exceeds dimension size|Cannot find any model weights",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"maximum (?:model|context) length|max_model_len|context (?:length|window)|too long", re.IGNORECASE
)
_KILLED = re.compile(r"proc\(s\): \{.*-9")


def words(error: BaseException) -> str:
    """``Name: message`` of an exception; of several complaints of one check the first."""
    complaints = getattr(error, "errors", None)
    if callable(complaints):  # pydantic's, whose text has many lines
        first: dict[str, object] = next(iter(complaints()), {})
        return one_line(str(first.get("msg", "")).removeprefix("Value error, ") or error)
    return one_line(f"{type(error).__name__}: {error}")


def again(error: EngineError) -> EngineError:
    """The same error, tied to nothing: its traceback would keep in memory what it was raised in."""
    return type(error)(error.message, error.hint)


def start_error(name: str, error: BaseException, cause: str) -> EngineError:
    """Why the model ``name`` could not be loaded: ``cause`` are the last words of the worker processes, if any."""
    if isinstance(error, EngineError):
        return error
    if isinstance(error, HotswapError):
        return EngineUnavailable(error.message, error.hint)
    said = words(error)
    if not cause and _KILLED.search(said):
        return OutOfMemory(
            f"{name} was killed by the system while it loaded: most likely memory ran out.",
            "Choose a smaller model or a shorter context (VLLM_MAX_MODEL_LEN), or close other programs.",
        )
    return _meaning(name, _short(cause or said))


def _meaning(name: str, said: str) -> EngineError:
    if _MEMORY.search(said):
        return OutOfMemory(
            f"{name} does not fit into memory: {said}",
            "Lower VLLM_MAX_MODEL_LEN or VLLM_GPU_MEMORY_UTILIZATION, choose a smaller model, or close other programs.",
        )
    if _REMOTE_CODE.search(said):
        return EngineUnavailable(
            f"{name} brings Python code of its own: {said}", "Set TRUST_REMOTE_CODE=true, if you trust it."
        )
    if _UNKNOWN_MODEL.search(said):
        return EngineUnavailable(f"vLLM cannot run {name}: {said}", "Choose another model, or LLM_ENGINE=hf or ollama.")
    if _DAMAGED.search(said):
        return ModelDamaged(f"{name} cannot be loaded: {said}", "Download or copy the model again.")
    return EngineUnavailable(f"vLLM could not load {name}: {said}", f"Correct VLLM_CONFIG, if that is it. {SEE_LOG}")


def death(name: str, cause: str) -> EngineError:
    """The worker processes ended by themselves; ``cause`` are their last words, if any."""
    if cause and _MEMORY.search(cause):
        return OutOfMemory(
            f"{name} ran out of memory: {_short(cause)}", "Lower VLLM_MAX_NUM_SEQS or VLLM_MAX_MODEL_LEN."
        )
    reason = f": {_short(cause)}" if cause else ", most likely killed by the system"
    return EngineUnavailable(f"The process of {name} ended{reason}.", f"Switch to vllm to load it anew. {SEE_LOG}")


def answer_error(name: str, error: Exception) -> EngineError:
    """Why one answer failed while the engine goes on."""
    inner = error.__cause__ if isinstance(error.__cause__, Exception) else error
    said = _short(words(inner))
    if _TOO_LONG.search(said):
        return ContextTooLong(
            f"The question and its passages do not fit {name}: {said}",
            "Ask a shorter question in a new conversation, or raise VLLM_MAX_MODEL_LEN.",
        )
    return EngineUnavailable(f"{name} failed: {said}", SEE_LOG)


def _short(said: str) -> str:
    """Whole sentences of ``said``, if they are not too long."""
    said = _LISTS.sub("", one_line(said))
    if len(said) <= _LONGEST:
        return said
    sentences = said[:_LONGEST].rpartition(". ")[0]
    return f"{sentences}." if sentences else f"{said[: _LONGEST - 1]}…"
