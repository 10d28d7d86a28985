"""Several benchmarks of one kind beside each other: is it getting faster or slower?"""

from __future__ import annotations

import streamlit as st

from app.benchmark.reporting import over_time
from app.benchmark.reporting.html import page, table
from app.benchmark.reporting.runs import BenchmarkRuns
from app.ui.bench_kept import Kept, labels, loaded
from app.ui.bench_results import images
from app.ui.i18n import language, t

_AT_FIRST = 8  # runs that are compared unless others are chosen


def draw(runs: BenchmarkRuns, kept: dict[str, Kept], chosen: Kept) -> None:
    """Of the chosen run's kind; at first those of the same engines. Nothing where there is no other."""
    alike = labels({run: one for run, one in kept.items() if one.kind == chosen.kind})
    if len(alike) < 2:
        return
    of = language()
    st.markdown(f"#### {t('bench.over_time')}")
    same = [run for run in alike if kept[run].whom == chosen.whom]
    picked = st.multiselect(
        t("bench.runs"), list(alike), default=same[:_AT_FIRST], format_func=lambda run: alike.get(run, run),
        placeholder=t("bench.choose"), key=f"bench-runs-{chosen.kind}-{chosen.whom}",
    )  # fmt: skip
    reports = [report for run in picked if (report := loaded(runs, run)) is not None]
    if len(reports) < 2:
        st.caption(t("bench.two_runs"))
        return
    found = over_time.follow(reports, of)
    if not found.points:
        st.caption(t("bench.nothing_alike"))
        return
    images("bench-over-time", over_time.charts(found, of))
    with st.container(key="bench-run-by-run"):
        st.html(table(over_time.grid(found, of)))
    st.download_button(
        "HTML", lambda: page(reports, of), "benchmarks.html", "text/html",
        on_click="ignore", icon=":material/download:", key="bench-over-time-html",
    )  # fmt: skip
