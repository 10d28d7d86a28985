"""A model folder into memory: device, number format, tokenizer, weights, draft."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from app.engines.hf_faults import explained, first_line, incomplete
from app.errors import EngineUnavailable
from app.imports import IMPORTING
from app.models import estimate, free_memory

if TYPE_CHECKING:
    from app.config import Settings
    from app.models import ModelFacts

_MUCH_FASTER = 1.5
"""How much faster float32 must be than the weights' own type to be worth twice the memory."""


def find_device(wanted: str) -> torch.device:
    """HF_DEVICE as torch has it. Raises EngineUnavailable."""
    if wanted == "auto":
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        torch.empty(1, device=wanted)
        return torch.device(wanted)
    except (RuntimeError, AssertionError, ImportError) as error:
        raise EngineUnavailable(
            f"HF_DEVICE is {wanted}, which cannot be used: {first_line(error)}", "Set HF_DEVICE=auto, or cpu."
        ) from None


def choose_dtype(facts: ModelFacts, settings: Settings, device: torch.device) -> torch.dtype | str:
    """HF_DTYPE; for auto the weights' own, but float32 on a CPU that is much faster with it, where it fits."""
    if settings.hf_dtype != "auto":
        dtype: torch.dtype = getattr(torch, settings.hf_dtype)
        return dtype
    if device.type != "cpu" or facts.quantization or facts.dtype not in ("bfloat16", "float16"):
        return "auto"
    own: torch.dtype = getattr(torch, facts.dtype)
    need = estimate(facts, context=2048, sequences=settings.hf_max_batch, kv_bytes=4, dtype="float32")
    fits = need.total <= free_memory("cpu").free
    return torch.float32 if fits and _seconds(own) > _MUCH_FASTER * _seconds(torch.float32) else own


def _seconds(dtype: torch.dtype) -> float:
    """How long this CPU takes for a piece of a prompt: most of the work of an answer from documents is reading."""
    rows, weights = torch.ones(256, 1024, dtype=dtype), torch.ones(1024, 1024, dtype=dtype)
    times = []
    with torch.inference_mode():
        for _ in range(3):
            begun = time.perf_counter()
            torch.nn.functional.linear(rows, weights)
            times.append(time.perf_counter() - begun)
    return min(times)


def load_tokenizer(facts: ModelFacts, settings: Settings) -> Any:
    """Raises EngineError."""
    with explained(facts.name):
        return AutoTokenizer.from_pretrained(
            facts.folder, local_files_only=True, trust_remote_code=settings.trust_remote_code
        )


def load_model(facts: ModelFacts, settings: Settings, device: torch.device, dtype: torch.dtype | str) -> Any:
    """Raises EngineError."""
    with explained(facts.name), IMPORTING:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            facts.folder,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=None if settings.allow_pickle else True,
            weights_only=True,
            trust_remote_code=settings.trust_remote_code,
            ignore_mismatched_sizes=True,  # so that they are named
            output_loading_info=True,
        )
        model, report = loaded
        wrong = [*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])]
        if wrong:  # transformers would go on with random numbers
            raise incomplete(wrong, facts.name)
        return model.to(device).eval()


def load_draft(facts: ModelFacts, settings: Settings, tokenizer: Any, model: Any) -> Any:
    """A model that guesses ahead for ``model``. Raises EngineError."""
    if load_tokenizer(facts, settings).get_vocab() != tokenizer.get_vocab():
        raise EngineUnavailable(
            f"The draft {facts.name} has another vocabulary than the model.",
            "Set HF_DRAFT_MODEL_PATH to a smaller model of the same family, or leave it empty.",
        )
    draft = load_model(facts, settings, model.device, model.dtype)
    size = model.config.get_text_config().vocab_size
    if draft.config.get_text_config().vocab_size != size:  # some families fill up the vocabulary differently
        draft.resize_token_embeddings(size, mean_resizing=False)
    return draft
