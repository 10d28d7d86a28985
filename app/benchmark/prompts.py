"""What is asked in a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from app.benchmark.bounds import MOST_TOKENS, within
from app.errors import BenchmarkError

PromptKind = Literal["synthetic", "prompts", "questions", "collection"]


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


@dataclass(frozen=True)
class PromptSource:
    """Where prompts come from.

    ``synthetic``: made, of about ``tokens`` each, no two with the same beginning. ``prompts``: ``text`` is the content
    of a file of prompts. ``questions``: it is that of a file of questions, put with their passages of ``collection``
    as the product puts them. ``collection``: questions are made from its documents. ``file`` is the file's name.
    """

    kind: PromptKind = "synthetic"
    tokens: int = 512
    text: str = ""
    file: str = ""
    collection: str | None = None
    seed: int = 0

    def check(self) -> None:
        """Raises BenchmarkError for what cannot be."""
        if self.kind not in get_args(PromptKind):
            raise BenchmarkError(f"{self.kind!r} is no kind of prompts.", f"Kinds: {', '.join(get_args(PromptKind))}.")
        if self.kind == "synthetic":
            within("Prompts of", (self.tokens,), MOST_TOKENS, "tokens")
