"""What a comparison is to measure. JSON-able: it may go through the server that owns the data folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, get_args

from app.engines.registry import check_name
from app.errors import BenchmarkError

PromptKind = Literal["synthetic", "prompts", "questions", "collection"]
MOST_READERS, MOST_TURNS, MOST_REPEATS, MOST_TOKENS = 1024, 50, 100, 100_000
QUOTES = "extractive"
"""The engine without a model: it writes no token that could be counted."""


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
            _within("Prompts of", (self.tokens,), MOST_TOKENS, "tokens")


@dataclass(frozen=True, kw_only=True)
class _Load:
    """How engines are asked: so many readers at once, conversations of so many turns, all of it ``repeats`` times.

    ``max_tokens`` is how long an answer is. ``requests`` are single questions of one repeat; None: twice as many as
    readers, eight at least. ``id`` is what the kept report is called; empty: a new one.
    """

    readers: tuple[int, ...] = (1, 8, 32)
    turns: tuple[int, ...] = (1, 5)
    repeats: int = 3
    max_tokens: int = 128
    prompts: PromptSource = field(default_factory=PromptSource)
    requests: int | None = None
    id: str = ""

    def asked(self, readers: int) -> int:
        """How many single questions one repeat has."""
        return self.requests or max(8, 2 * readers)

    def _check_load(self) -> None:
        _within("Readers:", self.readers, MOST_READERS)
        _within("Turns:", self.turns, MOST_TURNS)
        _within("Repeats:", (self.repeats,), MOST_REPEATS)
        _within("Answers of", (self.max_tokens,), MOST_TOKENS, "tokens")
        if self.requests is not None:
            _within("Requests:", (self.requests,), MOST_TOKENS)
        self.prompts.check()

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; the inverse of :meth:`from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Of what came as JSON."""
        given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        return cls(**{**given, "prompts": PromptSource(**data.get("prompts", {}))})


@dataclass(frozen=True)
class CompareRequest(_Load):
    """Compare ``engines``, each as ``NAME`` or ``NAME=MODEL``; the first is the baseline."""

    engines: tuple[str, ...]

    def check(self) -> None:
        """Whether it can be measured, as far as can be told without looking at the engines.

        Raises:
            BenchmarkError: a number is out of bounds, or fewer than two engines are named, or one has no model.
            ConfigError: there is no engine of that name.
        """
        if len(self.engines) < 2:
            raise BenchmarkError("A comparison wants two engines at least.", "Name them, such as `hf vllm`.")
        if len({check_engine(engine) for engine in self.engines}) < len(self.engines):
            raise BenchmarkError(
                "An engine is named twice with the same model.", "Give each a model of its own: `hf=A hf=B`."
            )
        self._check_load()


@dataclass(frozen=True)
class TuneRequest(_Load):
    """Try settings of ``engine`` (``NAME`` or ``NAME=MODEL``), one at a time.

    ``draft``: hub id or folder of a small model that drafts. ``tries``: which settings, by the words of
    ``app.benchmark.settings_to_try``; empty: all.
    """

    engine: str
    draft: str = ""
    tries: tuple[str, ...] = ()
    readers: tuple[int, ...] = field(default=(1, 8), kw_only=True)
    turns: tuple[int, ...] = field(default=(1,), kw_only=True)

    def check(self) -> None:
        """As :meth:`CompareRequest.check`."""
        check_engine(self.engine)
        self._check_load()


def check_engine(engine: str) -> tuple[str, str]:
    """The name and the model in ``NAME`` or ``NAME=MODEL``; the model is empty where the settings' is meant.

    Raises:
        ConfigError: there is no engine of that name.
        BenchmarkError: it has no model.
    """
    given, _, model = engine.partition("=")
    name = check_name(given.strip(), auto=False)
    if name == QUOTES:
        raise BenchmarkError(
            f"{QUOTES} quotes and has no model whose speed could be measured.", "Name another engine, such as hf."
        )
    return name, model.strip()


def _within(what: str, numbers: Sequence[int], most: int, unit: str = "") -> None:
    wrong = next((number for number in numbers if not 1 <= number <= most), None)
    if wrong is not None or not numbers:
        shown = "none" if wrong is None else f"{wrong:,} {unit}".strip()
        raise BenchmarkError(f"{what} {shown} cannot be measured.", f"Give 1 to {most:,}.")
