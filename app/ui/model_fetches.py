"""Fetches of models: begun, gone on with, and in words how far one is and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import streamlit as st

from app.errors import ModelGated
from app.inventory import ModelHere
from app.jobs import Job
from app.models import Fetched, FetchRequest, Kind
from app.schema import EngineStatus, Progress
from app.service import Service
from app.sizes import duration, left, size
from app.ui import model_use, progress
from app.ui.faults import callback
from app.ui.i18n import t
from app.ui.markup import plain
from app.ui.progress import Bar

_STAGES = {"waiting": "job.waiting", "starting": "models.asking", "checking": "models.checking"}
_USED_BY: dict[Kind, str] = {
    "chat": "models.setting_chat",
    "embedding": "models.setting_embedding",
    "reranker": "models.setting_reranker",
}
_ASKED: WeakKeyDictionary[Job[Fetched], tuple[FetchRequest, bool]] = WeakKeyDictionary()
"""What each job was asked for, less its token, and whether there was one."""


def start(service: Service, request: FetchRequest) -> None:
    """In the background; the token goes there and stays nowhere else."""
    job = service.models.start_fetch(request)
    _ASKED[job] = replace(request, token=""), bool(request.token)


def bar(job: Job[Fetched]) -> Bar:
    """How far it is."""
    now = job.progress
    share = min(1.0, now.done / now.total) if now.total else None
    return Bar(share, f":material/hourglass_top: {words(now)}")


def words(now: Progress) -> str:
    """``4.1 GB / 16.0 GB · 25% · 52 MB/s · 3:48 left · 3/12 files``."""
    if now.stage != "fetching":
        return t(_STAGES.get(now.stage, "job.starting"), done=now.done, total=now.total)
    parts = [f"{size(now.done)} / {size(now.total)} · {now.done / now.total:.0%}" if now.total else size(now.done)]
    if now.rate:
        parts.append(f"{size(int(now.rate))}/s")
    if (seconds := left(now.done, now.total, now.rate)) is not None:
        parts.append(t("models.left", time=duration(seconds)))
    if now.detail:
        parts.append(t("models.files", count=now.detail))
    return " · ".join(parts)


def shown(service: Service) -> list[Job[Fetched]]:
    """Of each model the last fetch: what goes on, then the newest; none that was hidden, or whose model is gone."""
    last: dict[str, Job[Fetched]] = {}
    for job in service.models.jobs():
        last.setdefault(job.title, job)
    jobs = [job for job in last.values() if job.id not in progress.dismissed()]
    jobs = [job for job in jobs if job.result is None or job.result.folder.is_dir()]
    return sorted(jobs, key=lambda job: (job.state != "running", not job.running))


def is_fetching(service: Service, name: str) -> bool:
    """Whether the model ``name`` is being fetched now."""
    return any(job.running for job in service.models.jobs() if name in (job.title, job.progress.item))


def is_told(service: Service, name: str) -> bool:
    """Whether a fetch of the model ``name`` that failed or was cancelled is still shown, with a way to go on."""
    return any(job.result is None for job in _of(service, name))


def hide(service: Service, name: str) -> None:
    """Tell no more how the fetches of the model ``name`` ended."""
    for job in _of(service, name):
        progress.dismiss(job.id)


def _of(service: Service, name: str) -> list[Job[Fetched]]:
    return [job for job in shown(service) if not job.running and name in (job.title, job.progress.item)]


class Ended:
    """How a fetch ended, in words; ``here`` are the models on this machine, ``live`` is the engine that answers."""

    def __init__(self, service: Service, here: Sequence[ModelHere], live: EngineStatus | None) -> None:
        self._service = service
        self._here = here
        self._live = live

    def __call__(self, job: Job[Fetched]) -> None:
        if job.result is not None:
            self._done(job.id, job.result)
            return
        if job.error is None:
            st.caption(t("models.cancelled"))
        elif job.progress.done:
            st.caption(t("models.failed"))
        if job in _ASKED:
            self._go_on(job, *_ASKED[job])

    def _done(self, job: str, done: Fetched) -> None:
        came = t("models.came", size=size(done.came)) if done.came else t("models.nothing_came")
        lines = [f":material/check_circle: {t('models.whole', came=came)}", *(plain(note) for note in done.notes)]
        st.caption("  \n".join(lines))
        if not done.setting:
            return
        model = next((model for model in self._here if done.folder == model.path), None)
        if done.kind == "chat" and model is not None and not model_use.answers(model, self._live):
            model_use.button(self._service, model, f"use-{job}", t("models.use_now"))
        st.caption(t(_USED_BY[done.kind]))
        st.code(_line(done.setting, done.value), language="yaml", wrap_lines=True)

    def _go_on(self, job: Job[Fetched], request: FetchRequest, had_token: bool) -> None:
        label = t("models.go_on" if job.progress.done or job.error is None else "models.try_again")
        icon, args = ":material/play_arrow:", (self._service, job, request)
        if not had_token and not isinstance(job.error, ModelGated):
            st.button(label, key=f"again-{job.id}", icon=icon, on_click=_again, args=args)
            return
        with st.form(f"again-form-{job.id}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                t("models.token_again" if had_token else "models.token"), type="password", key=_token_key(job)
            )
            st.form_submit_button(label, key=f"again-{job.id}", icon=icon, on_click=_again, args=args)


@callback
def _again(service: Service, job: Job[Fetched], request: FetchRequest) -> None:
    key = _token_key(job)
    token = str(st.session_state.get(key) or "").strip()
    if token:
        st.session_state[key] = ""  # it stays nowhere
    start(service, replace(request, token=token))


def _token_key(job: Job[Fetched]) -> str:
    return f"again-token-{job.id}"


def _line(setting: str, value: str) -> str:
    import yaml

    return yaml.safe_dump({setting: value}, allow_unicode=True, width=10_000).strip()
