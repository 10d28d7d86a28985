"""What readers thought of two engines' answers side by side: every vote with both timings, and what they add up to.

A vote holds no word of a question or an answer, and nothing tells whose it was. So it stays when its conversation is
deleted; :meth:`Votes.clear` removes all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.benchmark.figures import Distribution
from app.conversation.duel import Duel, Vote
from app.database import Database
from app.evaluation.metrics import wilson

_TABLE = """
CREATE TABLE votes (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, blind INTEGER NOT NULL,
    vote TEXT NOT NULL CHECK (vote IN ('a', 'b', 'both_good', 'both_bad')),
    a_engine TEXT NOT NULL, a_model TEXT NOT NULL, a_first_ms REAL, a_total_ms REAL, a_tokens_per_second REAL,
    b_engine TEXT NOT NULL, b_model TEXT NOT NULL, b_first_ms REAL, b_total_ms REAL, b_tokens_per_second REAL);
"""


@dataclass(frozen=True)
class Contender:
    """An engine with its model, and how fast it was: see :class:`app.conversation.duel.Pace`."""

    engine: str
    model: str
    first_ms: float | None = None
    total_ms: float | None = None
    tokens_per_second: float | None = None

    @property
    def who(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.engine, self.model


@dataclass(frozen=True)
class Ballot:
    """One vote; ``vote`` is never empty. ``at`` is ISO 8601 in UTC."""

    a: Contender
    b: Contender
    vote: Vote
    blind: bool
    at: str

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        sides = {"a": asdict(self.a), "b": asdict(self.b)}
        told = {f"{side}_{name}": _rounded(value) for side, values in sides.items() for name, value in values.items()}
        return {"at": self.at, "blind": self.blind, "vote": self.vote, **told}


@dataclass(frozen=True)
class Standing:
    """One of a pair: how often it was the better one, and its times (medians with the number of votes they are of)."""

    engine: str
    model: str
    wins: int
    first_ms: Distribution
    total_ms: Distribution
    tokens_per_second: Distribution

    @property
    def name(self) -> str:
        """Engine and model."""
        return " · ".join(part for part in (self.engine, self.model) if part)

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        measured = ("first_ms", "total_ms", "tokens_per_second")
        medians = {
            name: {"median": _rounded(getattr(self, name).median), "n": getattr(self, name).n} for name in measured
        }
        return {"engine": self.engine, "model": self.model, "wins": self.wins, **medians}


@dataclass(frozen=True)
class Pair:
    """Two engines with their models, the one with more wins first; blind votes and open ones are pairs of their own."""

    first: Standing
    second: Standing
    blind: bool
    both_good: int
    both_bad: int

    @property
    def n(self) -> int:
        """All votes."""
        return self.decided + self.both_good + self.both_bad

    @property
    def decided(self) -> int:
        """Votes that name a better one."""
        return self.first.wins + self.second.wins

    @property
    def share(self) -> float | None:
        """Of the decided votes, how many ``first`` won: 0.5 to 1; None where none is decided."""
        return self.first.wins / self.decided if self.decided else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of :attr:`share`; 0 to 1 where none is decided."""
        return wilson(self.first.wins, self.decided)

    @property
    def clear(self) -> bool:
        """Whether the interval excludes one half, so that chance alone hardly explains the lead."""
        return self.interval[0] > 0.5

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        low, high = self.interval
        return {
            "first": self.first.as_dict(), "second": self.second.as_dict(), "blind": self.blind, "votes": self.n,
            "decided": self.decided, "both_good": self.both_good, "both_bad": self.both_bad,
            "share": _rounded(self.share), "interval": [_rounded(low), _rounded(high)], "clear": self.clear,
        }  # fmt: skip


class Votes:
    """Every vote, in one SQLite file. Safe to use from several threads.

    Every method raises DataFolderError when the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        """Opens ``path``, which is made when it is missing.

        Raises:
            DataFolderError: it holds no votes, or is of a newer version.
        """
        self._file = Database(path, "The votes", (_TABLE,))

    def close(self) -> None:
        """Closes the file. May be called more than once."""
        self._file.close()

    def add(self, duel: Duel, vote: Vote) -> None:
        """Keeps a vote on a duel."""
        sides = [value for side in duel.sides for value in (side.answer.engine, side.answer.model, *astuple(side.pace))]
        marks = ", ".join("?" * (3 + len(sides)))
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with self._file.writing() as db:
            db.execute(f"INSERT INTO votes VALUES (NULL, {marks})", (at, duel.blind, vote, *sides))

    def clear(self) -> None:
        """Removes all votes from the disk."""
        with self._file.writing() as db:
            db.execute("DELETE FROM votes")
        self._file.give_back()

    def ballots(self) -> list[Ballot]:
        """Every vote, oldest first."""
        with self._file.reading() as db:
            rows = db.execute("SELECT * FROM votes ORDER BY id").fetchall()
        return [
            Ballot(Contender(*sides[:5]), Contender(*sides[5:]), vote, bool(blind), at)
            for _, at, blind, vote, *sides in rows
        ]

    def pairs(self) -> list[Pair]:
        """What the votes add up to, the pair with the most votes first."""
        return tally(self.ballots())


def tally(ballots: Iterable[Ballot]) -> list[Pair]:
    """``ballots`` by pair of engines and models, and by whether they were blind; most votes first."""
    grouped: dict[tuple[tuple[str, str], tuple[str, str], bool], list[Ballot]] = {}
    for ballot in ballots:
        one, other = sorted((ballot.a.who, ballot.b.who))
        grouped.setdefault((one, other, ballot.blind), []).append(ballot)
    pairs = [_pair(one, other, blind, votes) for (one, other, blind), votes in grouped.items()]
    return sorted(pairs, key=lambda pair: (-pair.n, pair.first.name, pair.second.name, not pair.blind))


def _pair(one: tuple[str, str], other: tuple[str, str], blind: bool, ballots: list[Ballot]) -> Pair:
    count = [ballot.vote for ballot in ballots].count
    standings = sorted((_standing(who, ballots) for who in (one, other)), key=lambda standing: -standing.wins)
    return Pair(standings[0], standings[1], blind, count("both_good"), count("both_bad"))


def _standing(who: tuple[str, str], ballots: list[Ballot]) -> Standing:
    sides = [(ballot.a, "a") if ballot.a.who == who else (ballot.b, "b") for ballot in ballots]
    wins = sum(ballot.vote == side for ballot, (_, side) in zip(ballots, sides, strict=True))

    def spread(of: Callable[[Contender], float | None]) -> Distribution:
        values = (of(contender) for contender, _ in sides)
        return Distribution.of([value for value in values if value is not None])

    return Standing(
        *who,
        wins,
        spread(lambda contender: contender.first_ms),
        spread(lambda contender: contender.total_ms),
        spread(lambda contender: contender.tokens_per_second),
    )


def _rounded(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value
