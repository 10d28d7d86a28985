"""The work on documents while it goes on, and how it ended. The work itself belongs to the service, not to the page."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.jobs import Job
from app.schema import IngestReport, Progress
from app.service import Service
from app.ui.faults import show
from app.ui.i18n import t
from app.ui.markup import plain

_SHOWN = 5
_EVERY = 0.3  # seconds between two looks at running work, and until a click is noticed
_STAGES = {
    "waiting": "job.waiting",
    "starting": "job.starting",
    "reading": "job.reading",
    "embedding": "job.embedding",
    "done": "job.finishing",
}


Watched = list[tuple[Job, DeltaGenerator]]
"""Running work, and the place of its progress."""


def draw(service: Service) -> Watched:
    """Running and recent work, newest first."""
    dismissed = st.session_state.setdefault("dismissed", set())
    jobs = [job for job in service.jobs() if job.id not in dismissed]
    watched: Watched = []
    for job in jobs[:_SHOWN]:
        with st.container(border=True, key=f"job-{job.id}"):
            watched += _job(job)
    return watched


def watch(watched: Watched) -> None:
    """Keeps the progress up to date until some of it ends, which calls for another run.

    One run that lasts, not many short ones: Streamlit tidies up after each, and that would slow the work down.
    """
    if not watched:
        return
    while all(job.running for job, _ in watched):
        for job, bar in watched:
            bar.progress(_share(job.progress), text=_stage(job.progress))
        watched[-1][0].wait(_EVERY)  # the oldest, which is the one being done
    st.rerun()


def _job(job: Job) -> Watched:
    running = job.running  # asked once: what is drawn as running is also watched
    with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
        st.markdown(f"**{plain(_short(job.title))}**")
        if running:
            st.button(t("job.cancel"), key=f"cancel-{job.id}", type="tertiary", on_click=job.cancel)
        else:
            key = f"dismiss-{job.id}"
            icon = ":material/close:"
            st.button("", key=key, type="tertiary", icon=icon, help=t("job.dismiss"), on_click=_dismiss, args=(job.id,))
    if running:
        return [(job, st.empty())]
    if job.error is not None:
        show(job.error)
    elif job.report is not None:
        _report(job.report)
    else:
        st.caption(t("job.cancelled"))
    return []


def _dismiss(job: str) -> None:
    st.session_state["dismissed"].add(job)


def _short(title: str) -> str:
    return title if len(title) <= 120 else title[:120] + "…"


def _share(progress: Progress) -> float:
    """How much is done, 0 to 1; the file at hand counts by its chunks."""
    if not progress.total:
        return 0.0
    done, _, of = progress.detail.partition("/")
    part = int(done) / int(of) if done.isdigit() and of.isdigit() and int(of) else 0.0
    return min(1.0, (progress.done + part) / progress.total)


def _stage(progress: Progress) -> str:
    words = t(_STAGES.get(progress.stage, "job.starting"))
    if not progress.item:
        return words
    count = t("job.count", number=progress.done + 1, total=progress.total)
    chunks = t("job.chunks", done=progress.detail) if progress.detail else ""
    return " · ".join(part for part in (count, plain(progress.item), words, chunks) if part)


def _report(report: IngestReport) -> None:
    counts = [
        t(key, count=count)
        for key, count in (
            ("job.added", report.added),
            ("job.updated", report.updated),
            ("job.unchanged", report.unchanged),
            ("job.failed", len(report.failed)),
        )
        if count
    ]
    st.caption(" · ".join(counts) or t("job.nothing"))
    for failure in report.failed:
        hint = f"  \n{plain(failure.hint)}" if failure.hint else ""
        st.warning(
            f"**{plain(PurePath(failure.path).name)}** — {plain(failure.error)}{hint}", icon=":material/warning:"
        )
