"""What a comparison is to measure. JSON-able: it may go through the server that owns the data folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from app.benchmark.bounds import MOST_TOKENS, within
from app.benchmark.named_engine import check_engine
from app.benchmark.prompts import PromptSource
from app.errors import BenchmarkError

MOST_READERS, MOST_TURNS, MOST_REPEATS = 1024, 50, 100


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
        within("Readers:", self.readers, MOST_READERS)
        within("Turns:", self.turns, MOST_TURNS)
        within("Repeats:", (self.repeats,), MOST_REPEATS)
        within("Answers of", (self.max_tokens,), MOST_TOKENS, "tokens")
        if self.requests is not None:
            within("Requests:", (self.requests,), MOST_TOKENS)
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
    ``app.benchmark.comparisons.trials``; empty: all.
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
