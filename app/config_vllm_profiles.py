"""``VLLM_PROFILE``: named sets of vLLM's engine arguments, each value with its reason.

A *card* says how much memory the graphics card has, a *goal* what matters most; ``24gb+throughput`` is one of each,
and where both name an argument the goal's value counts. ``docs/vllm-profiles.md`` is printed from here.

The numbers are for models of 7 to 8 billion parameters, which is what such cards are used with: 16 bits a weight make
15 to 16 GB, 4 bits about 5.5 GB, and a token of context takes 56 KiB (Qwen2.5 7B) to 128 KiB (Llama 3 8B), from
2 (key and value) * layers * key-value heads * size of a head * 2 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from app.config_errors import did_you_mean


@dataclass(frozen=True)
class Argument:
    """One of vLLM's engine arguments, its value, and why it has it."""

    name: str
    value: int | float | str | bool
    reason: str


@dataclass(frozen=True)
class Profile:
    """A set of arguments; ``meant_for`` says in one line for whom."""

    name: str
    kind: Literal["card", "goal"]
    meant_for: str
    arguments: tuple[Argument, ...]


_PREFIXES = Argument(
    "enable_prefix_caching",
    True,
    "the instructions and a conversation's earlier turns begin each prompt alike: they are computed once",
)

_ALL = (
    Profile(
        "24gb",
        "card",
        "one card with 24 GB or a little more (RTX 3090, RTX 4090, A5000, L4): a 7-8B model in 16 bits",
        (
            Argument(
                "gpu_memory_utilization",
                0.9,
                "21.6 GB for vLLM; the rest is for a screen, for CUDA itself and for other programs",
            ),
            Argument(
                "max_model_len",
                16384,
                "takes 0.9 to 2.1 GB for one reader: two fit beside 16 GB of weights, and a question with its"
                " passages and its history needs 4,000 to 8,000 tokens",
            ),
            Argument(
                "max_num_seqs",
                32,
                "readers answered at once; more would push each other out of the context memory that is left",
            ),
            Argument(
                "max_num_batched_tokens", 4096, "most prompts are read in one step, and its scratch memory is small"
            ),
            _PREFIXES,
        ),
    ),
    Profile(
        "20-24gb",
        "card",
        "one card with 20 to 24 GB (RTX A4500, RTX 4000 Ada, a shared 24 GB card): a 7-8B model in 16 bits, just",
        (
            Argument("gpu_memory_utilization", 0.92, "18.4 of 20 GB: 16 GB of weights leave too little below that"),
            Argument(
                "max_model_len",
                8192,
                "takes 0.5 to 1.1 GB for one reader, which is about what 16 GB of weights leave of 18.4 GB",
            ),
            Argument("max_num_seqs", 8, "few long contexts fit at once; the others wait instead of pushing them out"),
            Argument("max_num_batched_tokens", 2048, "half the scratch memory of 4,096 tokens a step"),
            _PREFIXES,
        ),
    ),
    Profile(
        "under-20gb",
        "card",
        "one card with 8 to 16 GB: a 7-8B model in 4 bits (AWQ, GPTQ), or one of 3B and less in 16 bits",
        (
            Argument(
                "gpu_memory_utilization",
                0.85,
                "such a card usually drives the screen too: 1.2 GB (of 8) to 2.4 GB (of 16) stay free for it",
            ),
            Argument(
                "max_model_len",
                4096,
                "takes 0.2 to 0.5 GB for one reader, which fits even beside 4-bit weights on 8 GB",
            ),
            Argument("max_num_seqs", 4, "readers answered at once; vLLM keeps buffers for each, used or not"),
            Argument("max_num_batched_tokens", 2048, "bounds the scratch memory of a step to some hundred MB"),
            Argument("enforce_eager", True, "CUDA graphs take 0.5 to 1 GB; without them single answers are slower"),
            _PREFIXES,
        ),
    ),
    Profile(
        "latency",
        "goal",
        "few readers who shall see each word soon",
        (
            Argument(
                "performance_mode",
                "interactivity",
                "vLLM's own word for it: fine-grained CUDA graphs for small batches",
            ),
            Argument("max_num_seqs", 8, "the fewer answers share a step, the sooner each has its next word"),
            Argument(
                "max_num_batched_tokens",
                2048,
                "a long prompt is read in such pieces, so that it holds up the running answers only briefly",
            ),
            Argument(
                "enable_chunked_prefill", True, "long prompts are read in pieces between the other readers' words"
            ),
            _PREFIXES,
        ),
    ),
    Profile(
        "throughput",
        "goal",
        "many readers at once, or a benchmark: most tokens a second for all together",
        (
            Argument("performance_mode", "throughput", "vLLM's own word for it: larger batches and CUDA graphs"),
            Argument(
                "max_num_seqs",
                256,
                "a step reads all weights once for however many answers: the more share it, the better",
            ),
            Argument(
                "max_num_batched_tokens",
                8192,
                "large pieces of prompt keep the card busy; a running answer may pause for half a second",
            ),
            Argument("enable_chunked_prefill", True, "prompts fill the room that running answers leave in a step"),
            _PREFIXES,
        ),
    ),
    Profile(
        "memory",
        "goal",
        "a model that hardly fits",
        (
            Argument(
                "max_model_len", 4096, "the context of one reader takes 0.2 to 0.5 GB in 16 bits, half of it in 8"
            ),
            Argument("max_num_seqs", 2, "readers answered at once; vLLM keeps buffers for each, used or not"),
            Argument(
                "max_num_batched_tokens", 1024, "bounds the scratch memory of a step; long prompts take more steps"
            ),
            Argument(
                "kv_cache_dtype",
                "fp8",
                "halves the context's memory at hardly any loss; needs an RTX 40, L4, H100 or newer",
            ),
            Argument("enforce_eager", True, "CUDA graphs take 0.5 to 1 GB; without them single answers are slower"),
            Argument("enable_chunked_prefill", True, "lets a prompt be longer than one step's tokens"),
        ),
    ),
)
PROFILES = {profile.name: profile for profile in _ALL}


def chosen(name: str) -> tuple[Profile, ...]:
    """The card's profile, then the goal's, of ``24gb``, ``throughput``, ``24gb+throughput``; none of an empty name.

    Raises:
        ValueError: what is wrong with ``name``, and what there is; "VLLM_PROFILE" goes before.
    """
    found = []
    for part in name.lower().split("+") if name else ():
        if part.strip() not in PROFILES:
            raise ValueError(f"has {part.strip()!r}, which is no profile{did_you_mean(part.strip(), PROFILES)}")
        found.append(PROFILES[part.strip()])
    kinds = [profile.kind for profile in found]
    if len(set(kinds)) < len(kinds):
        raise ValueError(f"is {name!r}, but must be one card, one goal, or one of each as in 24gb+throughput")
    return tuple(sorted(found, key=lambda profile: profile.kind))


def profile_arguments(name: str) -> dict[str, Any]:
    """The engine arguments of a profile; empty for an empty name. Raises ValueError as :func:`chosen` does."""
    return {argument.name: argument.value for profile in chosen(name) for argument in profile.arguments}
