"""What vLLM's metrics did over a while: how far its counters went, and where its gauges stood."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import Any

from app.benchmark.monitor.vllm_metrics import COUNTERS, Labels, MetricsFault, MetricsSource, NoMetrics, Reading


class VllmWatch:
    """From the first look on. Counters are added up over all engines of a server, and over restarts."""

    def __init__(self, source: MetricsSource) -> None:
        self._source = source
        self._before: dict[tuple[str, Labels], float] = {}
        self._grown: defaultdict[str, float] = defaultdict(float)
        self._gauges: list[Reading] = []
        self._looks: list[str] = []
        """Why each failed; empty where it did not."""
        self._restarted = self._over = False

    def look(self) -> None:
        """Read them once more. Where the first look found that there are none, nobody is asked again."""
        if self._over:
            return
        try:
            found = self._source.read()
        except MetricsFault as fault:
            self._over = isinstance(fault, NoMetrics) and not self._gauges
            self._looks.append(str(fault))
            return
        self._looks.append("")
        self._count(found)
        self._gauges.append(found)

    def _count(self, found: Reading) -> None:
        begun = bool(self._gauges)
        for name in COUNTERS:
            for labels, value in found.get(name, {}).items():
                before = self._before.get((name, labels), 0.0 if begun else value)
                if value < before:  # as Prometheus's increase() does it: what it shows has come since it began again
                    self._restarted, before = True, 0.0
                self._before[name, labels] = value
                self._grown[name] += value - before

    def report(self) -> dict[str, Any] | None:
        """The keys that programs rely on; None where nothing could be read.

        ``kv_cache_use`` is a share, ``running`` and ``waiting`` are requests of all engines together: seen between
        the first look and the last, which come before and after the load. ``mean_accepted_length`` is how many tokens
        a step gave, the model's own included: 1 + accepted tokens / drafts, as vLLM logs it (v1/spec_decode/metrics).
        """
        if not self._gauges:
            return None
        counts = {name: int(self._grown[name]) if name in self._grown else None for name in COUNTERS}
        use = self._gauge("kv_cache_use")
        return {
            "kv_cache_use_mean": round(fmean(fmean(values) for values in use), 6) if use else None,
            "kv_cache_use_peak": round(max(map(max, use)), 6) if use else None,
            "preemptions": counts["preemptions"],
            "prefix_cache": _prefix_cache(counts["queries"], counts["hits"]),
            "speculation": _speculation(counts["drafts"], counts["draft_tokens"], counts["accepted_tokens"]),
            "prompt_tokens": counts["prompt_tokens"],
            "generation_tokens": counts["generation_tokens"],
            "running_peak": _peak(self._gauge("running")),
            "waiting_peak": _peak(self._gauge("waiting")),
        }

    @property
    def note(self) -> str:
        """What to know about the report, or why there is none."""
        failed = [why for why in self._looks if why]
        if not self._gauges:
            return failed[-1] if failed else ""
        notes = []
        if len(self._gauges) > 1 and not any(self._grown.values()):
            notes.append("vLLM's counters did not move: another engine answered, or it keeps no statistics.")
        if self._restarted:
            notes.append("vLLM restarted while it was measured: what it counted right before that is lost.")
        if failed:
            edges = {"the first": self._looks[0], "the last": self._looks[-1]}
            which = " and ".join(name for name, why in edges.items() if why)
            among = f", {which} among them" if which else ""
            notes.append(f"{len(failed)} of {len(self._looks)} looks at vLLM's metrics failed{among}: {failed[-1]}")
        return " ".join(notes)

    def _gauge(self, name: str) -> list[list[float]]:
        """Each look's values, one for each engine."""
        return [list(found[name].values()) for found in self._gauges[1:-1] if found.get(name)]


def _prefix_cache(queries: int | None, hits: int | None) -> dict[str, Any] | None:
    if queries is None or hits is None:
        return None
    return {"queries": queries, "hits": hits, "rate": _share(hits, queries)}


def _speculation(drafts: int | None, draft_tokens: int | None, accepted: int | None) -> dict[str, Any] | None:
    if draft_tokens is None or accepted is None:
        return None
    length = round(1 + accepted / drafts, 4) if drafts else None
    return {
        "drafts": drafts,
        "draft_tokens": draft_tokens,
        "accepted_tokens": accepted,
        "acceptance_rate": _share(accepted, draft_tokens),
        "mean_accepted_length": length,
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _peak(looks: list[list[float]]) -> int | None:
    return int(max(map(sum, looks))) if looks else None
