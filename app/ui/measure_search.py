"""How well search does: questions asked of a collection in the background, and what came of them, now and before."""

from __future__ import annotations

import streamlit as st

from app.evaluation.work import Evaluated
from app.jobs import Job
from app.service import Service
from app.ui import measure_form, measure_runs, progress
from app.ui.i18n import t
from app.ui.markup import plain
from app.ui.progress import Bar

_JOBS = 3
_STAGES = {
    "waiting": "job.waiting",
    "starting": "job.starting",
    "reading": "job.reading",
    "embedding": "job.embedding",
    "choosing": "measure.choosing",
    "writing": "measure.writing",
    "searching": "measure.searching",
}


def draw(service: Service) -> None:
    """Form, work and results; stays while something is measured."""
    st.markdown(t("measure.text"))
    measure_form.draw(service)
    jobs = service.evaluations.jobs()
    measure_runs.choose_new(jobs)
    watched = progress.draw(jobs, _ended, _JOBS)
    measure_runs.draw(service)
    progress.watch(watched, _bar)


def _bar(job: Job[Evaluated]) -> Bar:
    now = job.progress
    words = t(_STAGES.get(now.stage, "job.starting"))
    count = t("job.count", number=min(now.done + 1, now.total), total=now.total) if now.total else ""
    share = min(1.0, now.done / now.total) if now.total else None
    return Bar(share, " · ".join(part for part in (words, count, plain(now.item)) if part))


def _ended(job: Job[Evaluated]) -> None:
    if job.result is not None:
        st.caption(f":material/check_circle: {t('measure.done')}")
    elif job.error is None:
        st.caption(t("measure.cancelled"))
