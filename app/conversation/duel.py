"""A duel: two engines answer one question side by side, and the reader says which answer is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.errors import HotswapError
from app.schema import Answer

SIDES: tuple[Literal["a", "b"], ...] = ("a", "b")
Vote = Literal["", "a", "b", "both_good", "both_bad"]
"""Which answer is better; empty while nobody has said so."""
VOTES: tuple[Vote, ...] = ("a", "b", "both_good", "both_bad")
Flaw = Literal["", "failed", "stopped", "not_own"]


@dataclass(frozen=True)
class Problem:
    """An error as it is kept."""

    code: str
    message: str
    hint: str

    @classmethod
    def of(cls, error: HotswapError) -> Problem:
        """What ``error`` says."""
        return cls(error.code, error.message, error.hint)


@dataclass(frozen=True)
class Pace:
    """How fast an engine was by itself: milliseconds from the end of the search on, None where it said nothing.

    ``tokens_per_second``: those that the engine counted, thoughts too, over the whole time; None where it counts none.
    """

    first_ms: float | None
    total_ms: float
    tokens_per_second: float | None


@dataclass(frozen=True)
class Side:
    """``engine`` was asked, ``answer`` is what came of it, and ``problem`` is why nothing did, or why it broke off."""

    engine: str
    answer: Answer
    problem: Problem | None = None

    @property
    def flaw(self) -> Flaw:
        """Why nobody can judge the engine by it: it failed, the reader stopped it, or it did not write the answer.

        An answer that reached the length allowed is as whole as this engine gives it.
        """
        if self.problem is not None:
            return "failed"
        if not self.answer.complete and self.answer.finish_reason == "stop":
            return "stopped"
        return "" if self.answer.engine == self.engine else "not_own"

    @property
    def pace(self) -> Pace:
        """Without the time in line and the search, which are not the engine's."""
        timings, usage = self.answer.timings, self.answer.usage
        before = timings.waiting_ms + timings.retrieval_ms
        total = max(0.0, timings.total_ms - before)
        first = None if timings.ttft_ms is None else max(0.0, timings.ttft_ms - before)
        counted = usage is not None and usage.completion_tokens > 0 and total > 0
        return Pace(first, total, usage.completion_tokens / total * 1000 if usage and counted else None)


@dataclass(frozen=True)
class Duel:
    """``sides`` are A and B as they stand beside each other; ``blind``: which is which is told after the vote."""

    sides: tuple[Side, Side]
    blind: bool
    vote: Vote = ""

    @property
    def votable(self) -> bool:
        """Whether there are two answers that can be compared."""
        return not any(side.flaw for side in self.sides)

    @property
    def hidden(self) -> bool:
        """Whether it must not be told yet which engine said what."""
        return self.blind and self.votable and not self.vote

    @property
    def chosen(self) -> Side:
        """The one that the conversation goes on with: the better one, else the first one without a flaw."""
        if self.vote in SIDES:
            return self.sides[SIDES.index(self.vote)]
        return max(self.sides, key=lambda side: (not side.flaw, bool(side.answer.answer.strip())))
