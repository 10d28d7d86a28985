"""Benchmarks while they go on, in words: what is done, about how long it will take, and how it ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import streamlit as st

from app.benchmark.comparisons.report import ComparisonReport
from app.jobs import Job
from app.schema import Progress
from app.sizes import duration
from app.ui.i18n import t
from app.ui.markup import plain
from app.ui.progress import Bar

_STAGES = {
    "waiting": "job.waiting",
    "starting": "job.starting",
    "checking": "bench.checking",
    "choosing": "measure.choosing",
    "searching": "measure.searching",
    "draining": "bench.making_room",
    "closing": "bench.making_room",
    "loading": "bench.loading",
    "warming": "bench.warming",
    "measuring": "bench.measuring",
}
_COUNTED = ("checking", "choosing", "searching", "measuring")


@dataclass
class Pace:
    """How fast rounds go: they are not equally long, but nothing better is known beforehand."""

    begun: float
    first: int  # how many were done when we began to look
    done: int = field(init=False)
    at: float = field(init=False)  # when the last of them was done

    def __post_init__(self) -> None:
        self.done, self.at = self.first, self.begun

    def left(self, done: int, total: int, now: float) -> float | None:
        """Seconds; None before the first round has ended."""
        if done != self.done:
            self.done, self.at = done, now
        if done == self.first:
            return None
        each = (self.at - self.begun) / (done - self.first)
        return max(0.0, each * (total - done) - (now - self.at))


def bar(job: Job[ComparisonReport]) -> Bar:
    """Rounds are counted; how long an engine takes to load nobody knows."""
    now = job.progress
    parts = [t(_STAGES.get(now.stage, "job.starting")), plain(now.item)]
    if now.total and now.stage in _COUNTED:
        parts.append(t("job.count", number=min(now.done + 1, now.total), total=now.total))
    if (seconds := _left(job, now)) is not None:
        parts.append(t("bench.left", time=duration(seconds)))
    share = min(1.0, now.done / now.total) if now.total else None
    return Bar(share, " · ".join(part for part in parts if part))


def _left(job: Job[ComparisonReport], now: Progress) -> float | None:
    if now.stage != "measuring":
        return None
    paces: dict[str, Pace] = st.session_state.setdefault("bench-paces", {})
    pace = paces.setdefault(job.id, Pace(time.monotonic(), now.done))
    return pace.left(now.done, now.total, time.monotonic())


def ended(job: Job[ComparisonReport]) -> None:
    """How it ended, its error aside."""
    if job.result is not None:
        st.caption(f":material/check_circle: {t('bench.done')}")
    elif job.error is None:
        st.caption(t("bench.cancelled"))
