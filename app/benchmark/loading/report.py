"""What a run of load found: one closed loop, or arrivals at a rate."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.benchmark.figures import Distribution
from app.benchmark.sample import OUTCOMES, Sample

VERSION = 1
LIMITS = ("ttft_ms", "tpot_ms", "e2e_ms")
"""What an answer may be held to, in milliseconds: first token, between tokens, all of it from when it was due."""


@dataclass(frozen=True)
class Goodput:
    """How many answers kept all ``limits``, and how many of them a second; ``share`` is of all that were due."""

    limits: Mapping[str, float]
    good: int
    share: float
    per_second: float


@dataclass(frozen=True)
class Arrivals:
    """How an open loop went. Rates are prompts a second.

    ``over_saturated``: more came than was answered, and the line grew; ``why`` in plain words. ``in_flight`` are
    (seconds, answers under way) over the run. ``lag_valid``: sending kept up, so that the figures are the server's.
    """

    process: str
    rate: float
    sent_rate: float
    answered_rate: float
    over_saturated: bool
    why: str
    lag_valid: bool
    in_flight: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True)
class LoadReport:
    """``kind`` is ``load`` or ``arrival``; ``at`` is ISO 8601 in UTC; ``seconds`` is how long the kept samples took.

    ``itl`` is of the times between neighbouring pieces, in milliseconds. ``resources`` is what the monitors saw.
    ``interrupted``: it was stopped, and has what came until then.
    """

    id: str
    at: str
    kind: str
    config: dict[str, Any]
    environment: dict[str, Any]
    seconds: float
    samples: tuple[Sample, ...]
    itl: Distribution
    resources: dict[str, Any]
    arrivals: Arrivals | None = None
    goodput: Goodput | None = None
    interrupted: bool = False
    notes: tuple[str, ...] = ()
    kept: tuple[Sample, ...] = field(init=False)
    ok: tuple[Sample, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", tuple(sample for sample in self.samples if sample.kept))
        object.__setattr__(self, "ok", tuple(sample for sample in self.kept if sample.ok))

    @property
    def title(self) -> str:
        """Who was asked."""
        return f"{self.config.get('model') or '?'} · {self.config.get('target') or '?'}"

    def outcomes(self) -> dict[str, int]:
        """How many ended how."""
        counted = Counter(sample.outcome for sample in self.kept)
        return {outcome: counted[outcome] for outcome in OUTCOMES}

    def errors(self) -> list[dict[str, Any]]:
        """What went wrong, the most frequent first; ``error`` is what was said of it most often."""
        said: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for sample in self.kept:
            if not sample.ok:
                said[sample.outcome, sample.kind][sample.error] += 1
        found = [
            {"outcome": outcome, "kind": kind, "error": errors.most_common(1)[0][0], "count": errors.total()}
            for (outcome, kind), errors in said.items()
        ]
        return sorted(found, key=lambda item: -int(item["count"]))

    def output_tokens(self) -> int | None:
        """Of the whole answers, as the engine counted them; None where it did not."""
        counts = [sample.output_tokens for sample in self.ok]
        known = [count for count in counts if count is not None]
        return sum(known) if known and len(known) == len(counts) else None

    def distributions(self) -> dict[str, Distribution]:
        """Times of the whole answers, in milliseconds: ``latency`` from when one was due, ``service`` from sending."""
        return {
            "latency_ms": Distribution.ms([sample.latency for sample in self.ok]),
            "service_ms": Distribution.ms([sample.service for sample in self.ok]),
            "ttft_ms": Distribution.ms([sample.ttft for sample in self.ok]),
            "tpot_ms": Distribution.ms([sample.tpot for sample in self.ok]),
            "itl_ms": self.itl,
            "dispatch_lag_ms": Distribution.ms([sample.lag for sample in self.kept]),
        }

    def summary(self) -> dict[str, Any]:
        """Counts and rates."""
        total, good = len(self.kept), len(self.ok)
        per_second = 1 / self.seconds if self.seconds > 0 else 0.0
        counts = self.outcomes()
        return {
            "total": total,
            "successful": good,
            "failed": counts["failed"],
            "truncated": counts["truncated"],
            "duplicated": counts["duplicated"],
            "success_rate": round(good / total, 6) if total else 0.0,
            "total_time_seconds": round(self.seconds, 6),
            "requests_per_second": round(total * per_second, 4),
            "successful_rps": round(good * per_second, 4),
        }

    def tokens(self) -> dict[str, Any]:
        """As the engine counted them, of the whole answers; None where it did not."""
        output = self.output_tokens()
        inputs = [sample.input_tokens for sample in self.ok if sample.input_tokens is not None]
        per_second = round(output / self.seconds, 3) if output is not None and self.seconds > 0 else None
        return {
            "input": sum(inputs) if output is not None else None,
            "output": output,
            "output_per_second": per_second,
        }

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        arrivals, goodput = self.arrivals, self.goodput
        return {
            "version": VERSION, "id": self.id, "at": self.at, "kind": self.kind,
            "benchmark_config": self.config, "environment": self.environment, "summary": self.summary(),
            **{name: found.as_dict() for name, found in self.distributions().items()},
            "tokens": self.tokens(), "errors": self.errors(),
            "arrival": None if arrivals is None else {
                "process": arrivals.process, "rate": arrivals.rate, "sent_rate": arrivals.sent_rate,
                "answered_rate": arrivals.answered_rate, "over_saturated": arrivals.over_saturated,
                "why": arrivals.why, "lag_valid": arrivals.lag_valid, "in_flight": list(map(list, arrivals.in_flight)),
            },
            "goodput": None if goodput is None else {
                "limits": dict(goodput.limits), "good": goodput.good, "share": goodput.share,
                "per_second": goodput.per_second,
            },
            "resources": self.resources, "interrupted": self.interrupted, "notes": list(self.notes),
            "requests": [sample.as_dict() for sample in self.samples],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> LoadReport:
        """The inverse of :meth:`as_dict`, to the microsecond."""
        arrivals, goodput = data["arrival"], data["goodput"]
        if arrivals:
            arrivals = Arrivals(**{**arrivals, "in_flight": tuple(map(tuple, arrivals["in_flight"]))})
        return cls(
            data["id"], data["at"], data["kind"], data["benchmark_config"], data["environment"],
            data["summary"]["total_time_seconds"], tuple(map(Sample.from_dict, data["requests"])),
            Distribution.from_dict(data["itl_ms"]), data["resources"], arrivals,
            Goodput(**goodput) if goodput else None, data["interrupted"], tuple(data["notes"]),
        )  # fmt: skip
