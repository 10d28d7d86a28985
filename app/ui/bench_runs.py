"""Which of the kept benchmarks is looked at, and what to take along of it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import streamlit as st

from app.benchmark.comparisons.report import ComparisonReport
from app.benchmark.reporting.html import page
from app.benchmark.reporting.runs import Report
from app.benchmark.reporting.sheet import csv
from app.jobs import Job
from app.schema import EngineStatus
from app.service import Service
from app.ui import bench_history, bench_results
from app.ui.bench_kept import every, labels, loaded
from app.ui.faults import callback
from app.ui.i18n import language, t
from app.ui.progress import Watched

_RUN, _STARTED = "bench-run", "bench-started"


def started(job: Job[ComparisonReport], run: str) -> None:
    """``run`` is the id of what ``job`` will have measured, which a cancelled job does not tell."""
    st.session_state.setdefault(_STARTED, {})[job.id] = run


def choose_new(jobs: Sequence[Job[ComparisonReport]]) -> None:
    """Look at what the newest benchmark found, once."""
    told: set[str] = st.session_state.setdefault("bench-told", set())
    ours: dict[str, str] = st.session_state.get(_STARTED, {})
    fresh = [job for job in jobs if not job.running and job.id not in told]
    told.update(job.id for job in fresh)
    found = [job.result.id if job.result else ours[job.id] for job in fresh if job.result or job.id in ours]
    if found:
        st.session_state[_RUN] = found[0]


def draw(service: Service) -> list[Watched[EngineStatus]]:
    """The choice, and what was found; gives the switch to the advised engine while it goes on."""
    runs = service.benchmarks.runs
    kept = every(runs)
    if not kept:
        return []
    if st.session_state.get(_RUN) not in kept:  # it was removed, or nothing was chosen yet
        st.session_state[_RUN] = next(iter(kept))
    st.markdown(f"#### {t('measure.results')}")
    st.selectbox(t("bench.run"), list(kept), format_func=labels(kept).__getitem__, key=_RUN)
    chosen = kept[st.session_state[_RUN]]
    report = loaded(runs, chosen.id)
    if report is None:  # another process removed it just now
        st.info(t("measure.gone"))
        return []
    watched = bench_results.draw(service, report)
    _take_along(service, report)
    bench_history.draw(runs, kept, chosen)
    return watched


def _take_along(service: Service, report: Report) -> None:
    of = language()
    with st.container(horizontal=True, key="bench-files"):
        st.download_button(
            "HTML", lambda: page([report], of), f"benchmark-{report.id}.html", "text/html",
            on_click="ignore", icon=":material/download:", key="bench-html",
        )  # fmt: skip
        st.download_button(
            "JSON", lambda: json.dumps(report.as_dict(), ensure_ascii=False, indent=1),
            f"benchmark-{report.id}.json", "application/json",
            on_click="ignore", icon=":material/download:", key="bench-json",
        )  # fmt: skip
        st.download_button(
            "CSV", lambda: csv(report), f"benchmark-{report.id}.csv", "text/csv",
            on_click="ignore", icon=":material/download:", key="bench-csv",
        )  # fmt: skip
        st.button(
            t("measure.remove"), icon=":material/delete:", type="tertiary", key="bench-remove",
            on_click=_remove, args=(service, report.id),
        )  # fmt: skip


@callback
def _remove(service: Service, run: str) -> None:
    service.benchmarks.runs.remove(run)
