"""Switches and downloads of models, in words: how far one is and how it ended."""

from __future__ import annotations

import streamlit as st

from app.engines.registry import AUTO, ENGINES
from app.jobs import Job
from app.schema import EngineStatus, Progress
from app.service import Service
from app.sizes import size
from app.ui.faults import callback
from app.ui.i18n import t
from app.ui.markup import plain
from app.ui.progress import Bar

_STAGES = {
    "waiting": "job.waiting",
    "starting": "job.starting",
    "checking": "loading.checking",
    "loading": "loading.loading",
    "draining": "loading.draining",
    "closing": "loading.closing",
    "pulling": "loading.pulling",
    "fetching": "loading.fetching",
}


def bar(job: Job[EngineStatus]) -> Bar:
    """How far it is; only what comes over the network can be measured."""
    progress = job.progress
    share = min(1.0, progress.done / progress.total) if progress.total else None
    return Bar(share, f":material/hourglass_top: {stage(progress)}")


def stage(progress: Progress) -> str:
    """What is being done, as Markdown."""
    words = t(_STAGES.get(progress.stage, "job.starting"), name=plain(progress.item), count=progress.done)
    total = progress.total
    amount = f"{size(progress.done)} / {size(total)} · {progress.done / total:.0%}" if total else ""
    return " · ".join(part for part in (words, amount, plain(progress.detail)) if part)


def engine(job: Job[EngineStatus]) -> str:
    """Whose card it belongs to."""
    return job.title if _is_switch(job) else "ollama"


def switched(job: Job[EngineStatus]) -> bool:
    """Whether it was a switch that went well."""
    return _is_switch(job) and job.result is not None


def _is_switch(job: Job[EngineStatus]) -> bool:
    """The others fetch a model."""
    return job.title == AUTO or job.title in ENGINES


class Ended:
    """How a job ended, in words; ``live`` is who answers now."""

    def __init__(self, service: Service, live: EngineStatus | None) -> None:
        self._service = service
        self._live = t("choice.answers", name=plain(live.name)) if live else ""

    def __call__(self, job: Job[EngineStatus]) -> None:
        if not _is_switch(job):
            self._pulled(job)
        elif job.result is not None:
            st.caption(f":material/check_circle: {t('loading.switched', name=_named(job.result))}")
        else:
            told = "" if job.error else t("loading.cancelled")
            st.caption(" ".join(part for part in (told, self._live) if part))

    def _pulled(self, job: Job[EngineStatus]) -> None:
        if job.result is None:
            if job.error is None:
                st.caption(t("loading.cancelled_pull"))
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f":material/check_circle: {t('loading.pulled')}")
            st.button(t("loading.use"), key=f"use-{job.id}", on_click=self._use, args=(job.title,))

    @callback
    def _use(self, model: str) -> None:
        self._service.start_switch("ollama", model)


def _named(status: EngineStatus) -> str:
    return " · ".join(plain(part) for part in (status.name, status.model) if part)
