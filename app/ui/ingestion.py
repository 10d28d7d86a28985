"""The work on documents, in words: how far it is and what it did."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

from app.jobs import Job
from app.schema import IngestReport, Progress
from app.ui.i18n import t
from app.ui.markup import plain
from app.ui.progress import Bar

_STAGES = {
    "waiting": "job.waiting",
    "starting": "job.starting",
    "reading": "job.reading",
    "embedding": "job.embedding",
    "done": "job.finishing",
}


def bar(job: Job[IngestReport]) -> Bar:
    """How far it is."""
    return Bar(share(job.progress), _stage(job.progress))


def share(progress: Progress) -> float:
    """How much is done, 0 to 1; the file at hand counts by its chunks."""
    if not progress.total:
        return 0.0
    done, _, of = progress.detail.partition("/")
    part = int(done) / int(of) if done.isdigit() and of.isdigit() and int(of) else 0.0
    return min(1.0, (progress.done + part) / progress.total)


def ended(job: Job[IngestReport]) -> None:
    """What it did."""
    if job.result is not None:
        _report(job.result)
    elif job.error is None:
        st.caption(t("job.cancelled"))


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
