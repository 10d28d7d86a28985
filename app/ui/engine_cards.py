"""The engines on their cards: what each is, how it is, the switch to it, and how that goes."""

from __future__ import annotations

from contextlib import nullcontext

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.engines.registry import AUTO, MODEL_SETTING, ORDER
from app.inventory import ENGINES
from app.models import Fit
from app.schema import EngineStatus
from app.service import Service
from app.ui import connect, engine_jobs, model_memory, progress
from app.ui.engine_states import Look, answering
from app.ui.faults import callback, guarded
from app.ui.i18n import t
from app.ui.markup import plain
from app.ui.models import ANCHOR
from app.ui.progress import Watched
from app.ui.route_list import RouteList

_JOBS = 2  # of each engine
_WHAT = {
    "vllm_openai": "engines.vllm_openai",
    "vllm": "engines.vllm",
    "ollama": "engines.ollama",
    "hf": "engines.hf",
    "extractive": "engines.extractive",
}
_MODEL = {"vllm_openai": "engines.served_model", "vllm": "engines.folder", "hf": "engines.folder"}
"""What to write into the field for another model."""


class EngineCards:
    """The cards as things are in this run: ``look`` is None while the engines are being looked at."""

    def __init__(self, service: Service, look: Look | None, wanted: str) -> None:
        self._service = service
        self._look = look
        self._wanted = wanted
        self._states = {status.name: status for status in look.states} if look else {}
        self._live = answering(tuple(self._states.values()), wanted)
        self.routes = RouteList(service)

    def auto(self) -> list[Watched[EngineStatus]]:
        """The choice that leaves it to the product. Like :meth:`draw` it tells of the work that goes on."""
        chosen = self._wanted == AUTO
        with _card(AUTO):
            with _row():
                _title(AUTO, [_chosen()] if chosen else [])
                self._switch_button(AUTO, disabled=chosen)
            st.markdown(t("engines.auto", order=", ".join(map(plain, ORDER))))
            if chosen and self._live is not None:
                st.caption(t("choice.answers", name=plain(self._live.name)))
            return self._jobs(AUTO)

    def draw(self, name: str, readers: int) -> list[Watched[EngineStatus]]:
        """The engine ``name``, which writes ``readers`` answers."""
        live = self._live is not None and self._live.name == name
        settled = live and self._wanted == name
        with _card(name):
            with st.container(key="answers-now") if live else nullcontext(), _row():  # a key for the style
                _title(name, self._badges(name, live, readers))
                if name not in MODEL_SETTING:
                    self._switch_button(name, disabled=settled)
            st.markdown(t(_WHAT[name]))
            self._state(name)
            if name == "vllm_openai":
                self.routes.draw()
            if name in MODEL_SETTING:
                with guarded():
                    self._switch_with_model(name, live, settled)
            if name == "ollama":
                self._download()
            elif name in ENGINES:
                st.markdown(f":small[[{t('models.lead')}](#{ANCHOR})]")
            return self._jobs(name)

    def _jobs(self, name: str) -> list[Watched[EngineStatus]]:
        jobs = [job for job in self._service.engine_jobs() if engine_jobs.engine(job) == name]
        if self._wanted != name:  # since then somebody switched to another one
            jobs = [job for job in jobs if not engine_jobs.switched(job)]
        return progress.draw(jobs, engine_jobs.Ended(self._service, self._live), _JOBS)

    def _badges(self, name: str, live: bool, readers: int) -> list[str]:
        badges = [self._badge(name, live)]
        if self._wanted == name and not live:
            badges.append(_chosen())
        if readers:
            badges.append(f":blue-badge[:material/edit_note: {t('engines.writing', count=readers)}]")
        return badges

    def _badge(self, name: str, live: bool) -> str:
        status = self._states.get(name)
        if status is None:
            return f":gray-badge[{t('engines.looking')}]"
        if live:
            return f":green-badge[:material/check_circle: {t('engines.answers_now')}]"
        if status.ready:
            return f":gray-badge[:material/check: {t('engines.ready')}]"
        return f":orange-badge[{t('engines.not_ready')}]"

    def _state(self, name: str) -> None:
        status = self._states.get(name)
        lines: list[str] = []
        if status is not None and status.ready and status.model:
            lines = [plain(status.detail or status.model)]
        elif status is not None and not status.ready:
            model = t("engines.model", model=plain(status.model)) if status.model else ""
            lines = [model, f":material/info: {plain(status.detail)}", plain(status.hint)]
        _caption("  \n".join(line for line in lines if line))

    def _switch_with_model(self, name: str, live: bool, settled: bool) -> None:
        with _row():
            model = self._field(name)
            self._switch_button(name, disabled=settled and not model)
        fit = self._fit(name, model)
        _caption(model_memory.sentence(fit) if fit is not None and (model or not live) else "")

    def _field(self, name: str) -> str:
        """The model to switch to; empty for the one of the settings."""
        key = _field_key(name)
        if name == "ollama":
            chosen: str | None = st.selectbox(
                t("engines.other_model"),
                self._look.ollama_models if self._look else (),
                index=None,
                placeholder=t("engines.other_model"),
                accept_new_options=True,
                label_visibility="collapsed",
                key=key,
            )
        else:
            hint = t(_MODEL[name])
            chosen = st.text_input(t("engines.other_model"), placeholder=hint, label_visibility="collapsed", key=key)
        return (chosen or "").strip()

    def _fit(self, name: str, model: str) -> Fit | None:
        if model:
            return self._service.switch.memory(name, model)
        return self._look.fits.get(name) if self._look else None

    def _switch_button(self, name: str, *, disabled: bool) -> None:
        st.button(
            t("engines.switch"),
            key=f"switch-{name}",
            icon=":material/swap_horiz:",
            disabled=disabled,
            on_click=_switched,
            args=(self._service, name),
        )

    def _download(self) -> None:
        with st.expander(t("engines.download"), icon=":material/download:"):
            with _row():
                st.text_input(
                    t("engines.download_name"),
                    placeholder=t("engines.download_example", model=connect.this_machine().model),
                    label_visibility="collapsed",
                    key="pull-model",
                )
                st.button(t("engines.download_button"), key="pull", on_click=_pull, args=(self._service,))
            st.caption(t("engines.download_help"))


def _card(name: str) -> DeltaGenerator:
    return st.container(border=True, key=f"engine-{name}", gap="xsmall")


def _row() -> DeltaGenerator:
    """What stretches on the left, a button on the right."""
    return st.container(horizontal=True, wrap=False, vertical_alignment="center")


def _caption(text: str) -> None:
    """Its place is kept where there is none: in a run that lasts, what moves up leaves its old self behind."""
    if text:
        st.caption(text)
    else:
        st.empty()


def _title(name: str, badges: list[str]) -> None:
    st.markdown(" ".join([f"#### {plain(name)}", *badges]), width="stretch")


def _chosen() -> str:
    return f":blue-badge[:material/push_pin: {t('engines.chosen')}]"


def _field_key(name: str) -> str:
    return f"model-{name}"


@callback
def _switched(service: Service, name: str) -> None:
    key = _field_key(name)
    model = str(st.session_state.get(key) or "").strip()
    service.start_switch(name, model or None)
    if model:
        st.session_state[key] = None


@callback
def _pull(service: Service) -> None:
    model = str(st.session_state["pull-model"] or "").strip()
    if model:
        service.start_pull(model)
        st.session_state["pull-model"] = ""
