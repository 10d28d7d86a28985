"""What is asked in a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Prompt:
    """``messages`` in OpenAI's form; ``expected`` is the answer where only one is right, to find what is missing.

    ``max_tokens`` and ``at`` (seconds after the beginning of the run) are the prompt's own where a recording has them.
    """

    id: str
    messages: tuple[Mapping[str, str], ...]
    max_tokens: int | None = None
    expected: str | None = None
    at: float | None = None


@dataclass(frozen=True)
class Length:
    """How long answers are. ``fixed``: the engine goes on past its end mark, so that all write equally much."""

    max_tokens: int
    fixed: bool = True
