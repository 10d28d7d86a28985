"""A real language model made on the spot: two random layers, a tokenizer of its own, a chat template.

Its words are noise; its files, tokens, timing and failures are those of any other model.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONTEXT = 2048
TEXT = (
    "The lighthouse of Skarvoy was built in 1871. Its lamp burns oil and is seen from nineteen miles away. "
    "Which engine answers, and how do I switch to another one while it runs? "
    "青屿灯塔由林海主持修建，灯塔的光在二十海里之外也能看见。如何切换引擎？"
)


SAYS = "The lighthouse of Skarvoy was built in 1871."


def make(
    folder: Path,
    *,
    layers: int = 2,
    hidden: int = 128,
    seed: int = 0,
    shards: bool = False,
    says: str = "",
    forever: bool = False,
    tied: bool = True,
) -> Path:
    """Write a Llama into ``folder``; with ``says`` it answers everything with that sentence, and stops or begins anew.

    ``hidden`` must be a multiple of 64, the head size that CPU attention wants. ``says`` must hold no token twice.
    Without ``tied`` embeddings its noise is richer: with them it soon repeats one token.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained.train_from_iterator(
        [TEXT, *[says] * 50], trainers.BpeTrainer(vocab_size=512, special_tokens=special, initial_alphabet=alphabet)
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=TEMPLATE
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=1,
        head_dim=64,
        max_position_embeddings=CONTEXT,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        tie_word_embeddings=tied and not says,
    )
    model = LlamaForCausalLM(config)
    if says:
        _teach(model, tokenizer, says, forever)
    model = model.to(torch.bfloat16)
    model.save_pretrained(folder, max_shard_size="200KB" if shards else "5GB")
    assert json.loads((folder / "config.json").read_text())["vocab_size"] == len(tokenizer)
    return folder


def _teach(model: Any, tokenizer: Any, text: str, forever: bool) -> None:
    """Make each token of ``text`` the certain successor of the one before it: no layer adds anything to the token."""
    import torch

    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "?"}], tokenize=False, add_generation_prompt=True
    )
    words = tokenizer(text)["input_ids"]
    end = words[0] if forever else tokenizer.eos_token_id
    chain = [*tokenizer(prompt)["input_ids"][-1:], *words, end]
    assert len(set(chain[:-1])) == len(chain) - 1, f"a token comes twice in {text!r}"
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.lm_head.weight.zero_()
        for before, after in pairwise(chain):
            known = model.model.embed_tokens.weight[before]
            model.lm_head.weight[after] += known / known.norm() * 10
