"""The models on this machine: what each is, whether it is whole and fits, who runs it; to use, to remove."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.errors import HotswapError
from app.inventory import ModelHere
from app.models import FetchRequest, Kind
from app.schema import EngineStatus
from app.service import Service
from app.sizes import size
from app.ui import model_fetches, model_form, model_memory, model_use
from app.ui.faults import callback, show
from app.ui.i18n import t
from app.ui.markup import plain
from app.ui.model_states import MODELS
from app.ui.progress import Watched

_KINDS: dict[Kind, str] = {
    "chat": "models.kind_chat",
    "embedding": "models.kind_embedding",
    "reranker": "models.kind_reranker",
}
_REMOVING, _NOTICE = "model-removing", "model-notice"


def draw(service: Service, models: Sequence[ModelHere], live: EngineStatus | None) -> list[Watched[EngineStatus]]:
    """All of them; ``live`` is the engine that answers. Tells of the switches to them that go on."""
    with st.empty():
        if error := st.session_state.pop(_NOTICE, None):
            show(error)
    watched: list[Watched[EngineStatus]] = []
    for model in models:
        with st.container(border=True, key=f"here-{model.place}-{model.name}", gap="xsmall"):
            watched += _Row(service, model, live).draw()
    return watched


class _Row:
    def __init__(self, service: Service, model: ModelHere, live: EngineStatus | None) -> None:
        self._service = service
        self._model = model
        self._answers = model_use.answers(model, live)
        self._fetching = not model.complete and model_fetches.is_fetching(service, model.name)

    def draw(self) -> list[Watched[EngineStatus]]:
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
            st.markdown(" ".join([f"**{plain(self._model.name)}**", *self._badges()]), width="stretch")
            self._buttons()
        st.caption("  \n".join(self._lines()))
        watched = model_use.draw(self._model)
        if st.session_state.get(_REMOVING) == self._model.path:
            self._confirm()
        return watched

    def _badges(self) -> list[str]:
        model = self._model
        badges = [f":gray-badge[{t(_KINDS[model.kind])}]"] if model.kind else []
        if self._fetching:
            badges.append(f":blue-badge[:material/downloading: {t('models.being_fetched')}]")
        elif not model.complete:
            badges.append(f":orange-badge[:material/warning: {t('models.not_whole')}]")
        if self._answers:
            badges.append(f":green-badge[:material/check_circle: {t('engines.answers_now')}]")
        return badges + [f":blue-badge[:material/push_pin: {setting}]" for setting in model.set_as]

    def _lines(self) -> list[str]:
        model = self._model
        numbers = f"{model.parameters / 1e9:.2g} B" if model.parameters and model.parameters >= 1e7 else ""
        width = t("models.quantized", how=plain(model.quantization)) if model.quantization else model.dtype or ""
        lines = [" · ".join(part for part in (size(model.size), numbers, width, plain(str(model.path))) if part)]
        if model.problem and not self._fetching:
            lines.append(f":material/info: {plain(model.problem)} {plain(model.hint)}")
        lines += [model_memory.sentence(fit) for fit in model.fits]
        for verdict in model.engines:
            icon = ":material/check:" if verdict.runs else ":material/close:"
            lines.append(f"{icon} {plain(verdict.engine)}: {plain(verdict.reason)}")
        return lines

    def _buttons(self) -> None:
        model = self._model
        key = f"{model.place}-{model.name}"
        if self._fetching:
            return
        told = model_fetches.is_told(self._service, model.name)
        if not model.complete and model.place != "registered" and not told:
            icon, args = ":material/play_arrow:", (self._service, model.name)
            st.button(t("models.go_on"), key=f"finish-{key}", icon=icon, on_click=_finish, args=args)
        if not self._answers:
            model_use.button(self._service, model, f"use-{key}", t("models.use"))
        st.button(
            "",
            key=f"remove-{key}",
            type="tertiary",
            icon=":material/delete:",
            help=t("models.remove_not_now" if self._answers else "models.remove"),
            disabled=self._answers,
            on_click=_remove_asked,
            args=(model,),
        )

    def _confirm(self) -> None:
        model = self._model
        with st.container(border=True, key="confirm-model"):
            values = {"name": plain(model.name), "size": size(model.size), "path": plain(str(model.path))}
            lines = [t("models.confirm" if model.is_ours else "models.confirm_forget", **values)]
            if model.place == "cache":
                lines.append(t("models.confirm_cache"))
            if model.set_as:
                lines.append(t("models.confirm_set", settings=", ".join(model.set_as)))
            st.markdown(" ".join(lines))
            with st.container(horizontal=True):
                label, args = t("models.remove"), (self._service, model)
                st.button(label, key="confirm-model-remove", type="primary", on_click=_remove, args=args)
                st.button(t("models.keep"), key="confirm-model-keep", on_click=_removal_ended)


@callback
def _finish(service: Service, name: str) -> None:
    model_fetches.start(service, FetchRequest(name, source=model_form.source(service.settings)))


def _remove_asked(model: ModelHere) -> None:
    st.session_state[_REMOVING] = model.path


def _remove(service: Service, model: ModelHere) -> None:
    _removal_ended()
    try:
        service.models.remove(str(model.path))
        model_fetches.hide(service, model.name)
    except HotswapError as error:  # told here: the page's own notice is far above
        st.session_state[_NOTICE] = error
    MODELS.forget()


def _removal_ended() -> None:
    st.session_state.pop(_REMOVING, None)
