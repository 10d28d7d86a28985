"""One request of a benchmark, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["ok", "failed", "truncated", "duplicated"]
OUTCOMES: tuple[Outcome, ...] = ("ok", "failed", "truncated", "duplicated")


@dataclass(frozen=True)
class Sample:
    """Times are seconds on the run's clock, which begins at 0; None where it did not come so far.

    ``scheduled``: when it was due, in a closed loop when its reader was free. ``first``, ``last``: of its tokens.
    ``gaps``: between neighbouring pieces. Token counts are the engine's; None where it told none.
    ``kept``: whether it counts; false for the warm-up and the cool-down.
    """

    index: int
    prompt: str
    scheduled: float
    sent: float
    first: float | None
    last: float | None
    end: float
    outcome: Outcome
    error: str = ""
    kind: str = ""
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    pieces: int = 0
    gaps: tuple[float, ...] = ()
    kept: bool = True

    @property
    def ok(self) -> bool:
        """Whether the answer is whole."""
        return self.outcome == "ok"

    @property
    def latency(self) -> float:
        """From when it was due to its end."""
        return self.end - self.scheduled

    @property
    def service(self) -> float:
        """From when it was sent to its end."""
        return self.end - self.sent

    @property
    def lag(self) -> float:
        """How late it was sent."""
        return self.sent - self.scheduled

    @property
    def ttft(self) -> float | None:
        """From when it was sent to its first token."""
        return None if self.first is None else self.first - self.sent

    @property
    def tpot(self) -> float | None:
        """Between two tokens of the answer, on the average: (last - first) / (tokens - 1); None for one piece."""
        if self.first is None or self.last is None or self.output_tokens is None or self.output_tokens < 2:
            return None
        if self.last <= self.first:
            return None
        return (self.last - self.first) / (self.output_tokens - 1)

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on; milliseconds."""
        return {
            "index": self.index, "prompt": self.prompt, "outcome": self.outcome, "kind": self.kind,
            "error": self.error, "kept": self.kept, "finish_reason": self.finish_reason,
            "scheduled_ms": _ms(self.scheduled), "sent_ms": _ms(self.sent),
            "first_ms": _ms(self.first), "last_ms": _ms(self.last), "end_ms": _ms(self.end),
            "latency_ms": _ms(self.latency), "service_ms": _ms(self.service), "lag_ms": _ms(self.lag),
            "ttft_ms": _ms(self.ttft), "tpot_ms": _ms(self.tpot),
            "input_tokens": self.input_tokens, "output_tokens": self.output_tokens, "pieces": self.pieces,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Sample:
        """The inverse of :meth:`as_dict`, but for ``gaps``."""
        same = ("index", "prompt", "outcome", "kind", "error", "kept", "finish_reason", "input_tokens",
                "output_tokens", "pieces")  # fmt: skip
        times = {name: _seconds(data[f"{name}_ms"]) for name in ("scheduled", "sent", "first", "last", "end")}
        return cls(**{name: data[name] for name in same}, **times)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _seconds(ms: float | None) -> Any:
    return None if ms is None else round(ms / 1000, 6)
