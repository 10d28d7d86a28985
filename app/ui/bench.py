"""How fast engines answer: compared or tuned in the background, and what came of it, now and before."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.jobs import Job
from app.service import Service
from app.ui import bench_form, bench_jobs, bench_runs, engine_jobs, progress
from app.ui.i18n import t
from app.ui.progress import Bar

_JOBS = 3


def draw(service: Service) -> None:
    """Form, work and results; stays while something is measured or an engine is switched to."""
    st.markdown(t("bench.text"))
    bench_form.draw(service)
    jobs = service.benchmarks.jobs()
    bench_runs.choose_new(jobs)
    watched = progress.draw(jobs, bench_jobs.ended, _JOBS)
    switching = bench_runs.draw(service)

    def bar(job: Job[Any]) -> Bar:
        return bench_jobs.bar(job) if job in jobs else engine_jobs.bar(job)

    progress.watch([*watched, *switching], bar)
