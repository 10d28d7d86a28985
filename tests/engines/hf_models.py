"""Real tiny models for the engine ``hf`` whose noise differs from token to token, and what they would say alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.engines.tiny_model import make

LIVELY = 0.3
"""The spread of random weights from which a model no longer says one token for ever."""


def lively(folder: Path, *, seed: int = 0, **changes: Any) -> Path:
    """``make`` with untied weights that vary more; ``changes`` go into its config."""
    import torch
    from transformers import AutoConfig, LlamaForCausalLM

    make(folder, seed=seed)
    config = AutoConfig.from_pretrained(folder, tie_word_embeddings=False, initializer_range=LIVELY, **changes)
    torch.manual_seed(seed)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def mamba(folder: Path) -> Path:
    """A model without attention, with the same tokenizer."""
    import torch
    from transformers import AutoTokenizer, MambaConfig, MambaForCausalLM

    make(folder)
    ends = AutoTokenizer.from_pretrained(folder).eos_token_id
    torch.manual_seed(0)
    config = MambaConfig(
        vocab_size=512, hidden_size=64, num_hidden_layers=2, initializer_range=LIVELY, eos_token_id=ends, pad_token_id=0
    )
    MambaForCausalLM(config).save_pretrained(folder)
    return folder


def alone(folder: Path, question: str, tokens: int, **options: Any) -> str:
    """What ``generate`` has the model say to ``question``, in float32, without bytes that are no character."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
    )
    given = tokenizer(prompt, return_tensors="pt")
    ids = model.generate(
        given["input_ids"],
        attention_mask=given["attention_mask"],
        max_new_tokens=tokens,
        do_sample=False,
        pad_token_id=0,
        **options,
    )[0, given["input_ids"].shape[1] :]
    return str(tokenizer.decode(ids, skip_special_tokens=True)).rstrip("\ufffd")
