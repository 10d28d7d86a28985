"""Evaluations that were made: which one is looked at, beside which other one, and what to take along of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

import streamlit as st

from app.config import Settings
from app.evaluation.html import page
from app.evaluation.questions import dump
from app.evaluation.report import Run
from app.evaluation.runs import Runs
from app.evaluation.words import made
from app.evaluation.work import Evaluated
from app.jobs import Job
from app.service import Service
from app.ui import measure_results
from app.ui.faults import callback
from app.ui.i18n import language, t

_RUN, _OTHER = "measure-run", "measure-with"
_ALONE = ""


def loaded(service: Service, run: str) -> Run | None:
    """A run by its id; None where it is gone."""
    return _loaded(service.evaluations.runs, run)


@lru_cache(maxsize=64)
def _loaded(runs: Runs, run: str) -> Run | None:
    """A run never changes; its file is read once."""
    return runs.load(run)


def labels(service: Service) -> dict[str, str]:
    """Every run, the newest first, in a line of words."""
    found = ((run, loaded(service, run)) for run in service.evaluations.runs.ids())
    return {run: _label(content, service.settings) for run, content in found if content is not None}


def _label(run: Run, ours: Settings) -> str:
    """Of its settings those that are not ours."""
    at = datetime.fromisoformat(run.at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    settings = (f"{name}={value}" for name, value in run.settings.items() if value != getattr(ours, name.lower(), ""))
    return " · ".join([at, *settings, run.source, made(run, language())])


def choose_new(jobs: Sequence[Job[Evaluated]]) -> None:
    """Look at what the newest evaluation found, once."""
    told: set[str] = st.session_state.setdefault("measure-told", set())
    fresh = [job for job in jobs if job.result is not None and job.id not in told]
    told.update(job.id for job in fresh)
    if fresh and fresh[0].result is not None:
        newest = fresh[0].result
        st.session_state[_RUN] = newest.run.id
        st.session_state[_OTHER] = newest.other.id if newest.other else _ALONE


def draw(service: Service) -> None:
    """The choice, and what was found."""
    kept = labels(service)
    if not kept:
        return
    for key, allowed in ((_RUN, list(kept)), (_OTHER, [_ALONE, *kept])):
        if st.session_state.get(key) not in allowed:  # it was removed, or nothing was chosen yet
            st.session_state[key] = allowed[0]
    st.markdown(f"#### {t('measure.results')}")
    st.selectbox(t("measure.run"), list(kept), format_func=lambda run: kept[run], key=_RUN)
    others = [run for run in kept if run != st.session_state[_RUN]]
    if st.session_state[_OTHER] not in (_ALONE, *others):
        st.session_state[_OTHER] = _ALONE
    if others:
        words = {_ALONE: t("measure.alone"), **kept}
        st.selectbox(
            t("measure.beside"),
            [_ALONE, *others],
            format_func=words.__getitem__,
            key=_OTHER,
        )
    run = loaded(service, st.session_state[_RUN])
    other = loaded(service, st.session_state[_OTHER]) if st.session_state[_OTHER] else None
    if run is not None:
        measure_results.draw(run, other)
        _take_along(service, run, other)


def _take_along(service: Service, run: Run, other: Run | None) -> None:
    of = language()
    with st.container(horizontal=True, key="measure-files"):
        st.download_button(
            "HTML", lambda: page(run, other, of), f"evaluation-{run.id}.html", "text/html",
            on_click="ignore", icon=":material/download:", key="measure-html",
        )  # fmt: skip
        st.download_button(
            "JSON", lambda: _json(run, other), f"evaluation-{run.id}.json", "application/json",
            on_click="ignore", icon=":material/download:", key="measure-json",
        )  # fmt: skip
        st.download_button(
            t("measure.questions"), lambda: dump(run.questions()), f"questions-{run.id}.jsonl", "application/jsonl",
            on_click="ignore", icon=":material/download:", key="measure-jsonl",
        )  # fmt: skip
        st.button(
            t("measure.remove"), icon=":material/delete:", type="tertiary", key="measure-remove",
            on_click=_remove, args=(service, run.id),
        )  # fmt: skip


def _json(run: Run, other: Run | None) -> str:
    return json.dumps(Evaluated(run, other).as_dict(), ensure_ascii=False, indent=1)


@callback
def _remove(service: Service, run: str) -> None:
    service.evaluations.runs.remove(run)
    _loaded.cache_clear()
