"""What the runs of benchmarks/load_clients.py come to: tables, and goals that are met or missed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.benchmark.figures import percentile
from benchmarks.load_commands import Figures, Pace

THROUGHPUT, TIMES, LAG = 0.05, 0.10, 0.05
"""How far ours may be from the others; how late sending may be, as a share of the first token's median."""
AS_IT_CAME: dict[str, Callable[[Run], float]] = {
    "requests a second": lambda run: run.figures.requests_per_second,
    "tokens a second": lambda run: run.figures.tokens_per_second,
    "first token, ms, median": lambda run: run.figures.ttft_ms,
    "each further token, ms, median": lambda run: run.figures.tpot_ms,
}
READERS_AT_ITS_PACE: dict[str, Callable[[Run], float]] = {
    "requests in the server's time for a token": lambda run: run.figures.requests_per_second * run.step(),
    "tokens in the server's time for a token": lambda run: run.figures.tokens_per_second * run.step(),
}
TIMES_AT_ITS_PACE: dict[str, Callable[[Run], float]] = {
    "first token, of the server's mean": lambda run: run.figures.ttft_ms / run.by_server().ttft_ms,
    "each further token, of the server's mean": lambda run: run.figures.tpot_ms / run.by_server().tpot_ms,
}
MARGINS = (THROUGHPUT, THROUGHPUT, TIMES, TIMES)
"""Of requests, tokens, first token and each further one, in either way."""


@dataclass(frozen=True)
class Run:
    """One client under one load. ``pace``: of a real server. ``seen``: by one with a set pace; see paced_server.Seen.

    ``arrived_ms``: how late each request came there, next to the one that was the least late.
    """

    figures: Figures
    pace: Pace | None = None
    seen: dict[str, Any] | None = None
    arrived_ms: tuple[float, ...] = ()

    def by_server(self) -> Pace:
        """By the real server's own count."""
        assert self.pace is not None
        return self.pace

    def step(self) -> float:
        """The server's seconds for a token."""
        return self.by_server().tpot_ms / 1000

    def cpu_us(self) -> float:
        """Microseconds of CPU for a token."""
        assert self.seen is not None
        return float(self.seen["cpu"] / self.seen["tokens"] * 1e6)

    def core_share(self) -> float:
        """How much of a core that was."""
        assert self.seen is not None
        return float(self.seen["cpu"] / self.seen["seconds"])

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; of the lags what is told of them."""
        figures = asdict(self.figures)
        lags = {"lag_ms": figures.pop("lags_ms"), "arrived_ms": self.arrived_ms}
        told = {name: {"p50": _at(found, 50), "p99": _at(found, 99)} for name, found in lags.items() if found}
        return {**figures, **told, "pace": self.pace and asdict(self.pace), "seen": self.seen}


Runs = dict[str, list[Run]]
"""By client, one for each repeat; ours is the first."""


@dataclass(frozen=True)
class Goal:
    """``words`` have the figure that decides."""

    words: str
    met: bool


def print_agreement(load: str, runs: Runs) -> list[Goal]:
    """Ours beside each other one, repeat by repeat: the median of the ratios, and the least and the largest.

    First as it came; then, which decides, with what the server counted of itself in the same run taken out: it is on a
    shared machine now faster, now slower, by more than the clients may differ. How much readers get, who always ask,
    follows its pace; arrivals come at their times.
    """
    at_times = any(run.figures.lags_ms for some in runs.values() for run in some)
    came = _print_ratios(load, runs, AS_IT_CAME)
    figures = TIMES_AT_ITS_PACE if at_times else READERS_AT_ITS_PACE | TIMES_AT_ITS_PACE
    paced = _print_ratios(f"{load}, at the server's pace", runs, figures)
    decide = [*came[:2], *paced] if at_times else paced
    goals = [
        Goal(f"{load}: {words}'s is {ratio:.3f} (1 ± {margin:g})", abs(ratio - 1) <= margin)
        for found, margin in zip(decide, MARGINS, strict=True)
        for words, ratio in found.items()
    ]
    failed = {client: sum(run.figures.failed for run in found) for client, found in runs.items()}
    told = ", ".join(f"{client} {count}" for client, count in failed.items() if count)
    return [*goals, Goal(f"{load}: {told or 'no request'} failed", not told)]


def _print_ratios(title: str, runs: Runs, figures: Mapping[str, Callable[[Run], float]]) -> list[dict[str, float]]:
    """A table; and of each figure what ours is to the others', by words that name both."""
    ours, *others = runs
    head = [title, *runs, *(f"ours : {other}" for other in others)]
    print(f"\n| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    found: list[dict[str, float]] = []
    for words, value in figures.items():
        values = {client: [value(run) for run in some] for client, some in runs.items()}
        cells = [f"{statistics.median(values[client]):.4g}" for client in runs]
        found.append({})
        for other in others:
            ratios = [mine / theirs for mine, theirs in zip(values[ours], values[other], strict=True)]
            found[-1][f"{words} : {other}"] = ratio = statistics.median(ratios)
            cells.append(f"{ratio:.3f} [{min(ratios):.3f}, {max(ratios):.3f}]")
        print(f"| {' | '.join([words, *cells])} |")
    return found


def print_cost(load: str, runs: Runs) -> list[Goal]:
    """What each takes of its core, against a server with a set pace; medians of the repeats."""
    ours, *others = runs
    rows: dict[str, Callable[[Run], float | None]] = {
        "µs of CPU for a token": Run.cpu_us,
        "cores": Run.core_share,
        "streams at once, at most": lambda run: float(run.seen["most"]) if run.seen else None,
        "server's tokens late, ms, p99": lambda run: run.seen["late_p99_ms"] if run.seen else None,
        "first token, ms, median": lambda run: run.figures.ttft_ms,
        "each further token, ms, median": lambda run: run.figures.tpot_ms,
        "sent late, ms, median": lambda run: _at(run.figures.lags_ms, 50),
        "sent late, ms, p99": lambda run: _at(run.figures.lags_ms, 99),
        "arrived late, ms, p99": lambda run: _at(run.arrived_ms, 99),
        "sent late, p99, of first token": lambda run: _share(run.figures.lags_ms, run),
        "arrived late, p99, of first token": lambda run: _share(run.arrived_ms, run),
    }
    print(f"\n| {' | '.join([load, *runs])} |\n|{' --- |' * (len(runs) + 1)}")
    for words, value in rows.items():
        found = {client: [each for run in some if (each := value(run)) is not None] for client, some in runs.items()}
        if any(found.values()):
            print(f"| {' | '.join([words, *map(_spread, found.values())])} |")
    goals = []
    for other in others:
        ratio = statistics.median(
            mine.cpu_us() / theirs.cpu_us() for mine, theirs in zip(runs[ours], runs[other], strict=True)
        )
        goals.append(Goal(f"{load}: CPU for a token : {other}'s is {ratio:.2f} (at most 1)", ratio <= 1))
    shares = [share for run in runs[ours] if (share := _share(run.figures.lags_ms, run)) is not None]
    if shares:
        share = statistics.median(shares)
        words = f"{load}: ours sends late, p99, by {share:.1%} of the first token's median (at most {LAG:.0%})"
        goals.append(Goal(words, share <= LAG))
    return goals


def print_goals(goals: Sequence[Goal]) -> bool:
    """Whether all are met."""
    print()
    for goal in goals:
        print(f"{'met   ' if goal.met else 'MISSED'}  {goal.words}")
    return all(goal.met for goal in goals)


def _at(values: Sequence[float], percent: float) -> float | None:
    return percentile(sorted(values), percent) if values else None


def _share(lags: Sequence[float], run: Run) -> float | None:
    late = _at(lags, 99)
    return None if late is None else late / run.figures.ttft_ms


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    return f"{statistics.median(values):.3g} [{min(values):.3g}, {max(values):.3g}]"
