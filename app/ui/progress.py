"""The work on documents while it goes on, and how it ended. The work itself belongs to the service, not to the page."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

from app.jobs import Job
from app.schema import IngestReport, Progress
from app.service import Service
from app.ui.faults import guarded, show
from app.ui.i18n import t
from app.ui.markup import plain

_SHOWN = 5
_EVERY = 0.5  # seconds between two looks at running work
_STAGES = {
    "waiting": "job.waiting",
    "starting": "job.starting",
    "reading": "job.reading",
    "embedding": "job.embedding",
    "done": "job.finishing",
}


def draw(service: Service) -> None:
    """Running and recent work; looks again by itself while any runs."""
    running = any(job.running for job in service.jobs())
    st.fragment(_jobs, run_every=_EVERY if running else None)(service, running)


def _jobs(service: Service, running: bool) -> None:
    with guarded():
        jobs = service.jobs()
        dismissed = st.session_state.setdefault("dismissed", set())
        for job in [job for job in jobs if job.id not in dismissed][:_SHOWN]:
            with st.container(border=True, key=f"job-{job.id}"):
                _job(job)
        if running and not any(job.running for job in jobs):
            st.rerun()  # the list of documents has changed; nothing is left to look at


def _job(job: Job) -> None:
    with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
        st.markdown(f"**{plain(_short(job.title))}**")
        if job.running:
            st.button(t("job.cancel"), key=f"cancel-{job.id}", type="tertiary", on_click=job.cancel)
        else:
            key = f"dismiss-{job.id}"
            st.button(
                "",
                key=key,
                type="tertiary",
                icon=":material/close:",
                help=t("job.dismiss"),
                on_click=_dismiss,
                args=(job.id,),
            )
    if job.running:
        st.progress(_share(job.progress), text=_stage(job.progress))
    elif job.error is not None:
        show(job.error)
    elif job.report is not None:
        _report(job.report)
    else:
        st.caption(t("job.cancelled"))


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
