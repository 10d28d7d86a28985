"""The form that fetches a model: which one, from where, and what else a source may want to know."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlsplit

import streamlit as st

from app.config import Settings
from app.models import FetchRequest, Kind
from app.service import Service
from app.ui import model_fetches
from app.ui.faults import callback
from app.ui.i18n import t

_HUB, _OTHER = "hf", "other"
_SOURCES = {_HUB: "Hugging Face", "hf-mirror": "hf-mirror.com", "modelscope": "ModelScope"}
_KINDS = {
    "": "models.kind_found",
    "chat": "models.kind_chat",
    "embedding": "models.kind_embedding",
    "reranker": "models.kind_reranker",
}


def draw(service: Service) -> None:
    """Where it comes from, and the form. With OFFLINE it takes what is on this disk."""
    offline = service.settings.offline
    if offline:
        st.info(t("models.offline"), icon=":material/wifi_off:")
    else:
        _source(service.settings)
    with st.form("fetch-form"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.text_input(
                t("models.name"),
                placeholder=t("models.name_offline" if offline else "models.name_example"),
                label_visibility="collapsed",
                key="fetch-name",
            )
            label = t("models.add" if offline else "models.fetch")
            icon = f":material/{'add' if offline else 'download'}:"
            st.form_submit_button(label, icon=icon, type="primary", on_click=_fetch, args=(service,), key="fetch")
        with st.expander(t("models.more")):
            _kind()
            if not offline:
                _details()


def source(settings: Settings) -> str:
    """What was chosen, as :class:`FetchRequest` wants it; a page's address tells its own source."""
    chosen = st.session_state.get("fetch-source") or _HUB
    if settings.offline or chosen == _HUB:
        return ""
    return _text("fetch-address") if chosen == _OTHER else str(chosen)


def _source(settings: Settings) -> None:
    names = {**_SOURCES, _OTHER: t("models.other_source")}
    if settings.hf_endpoint:
        names[_HUB] = urlsplit(settings.hf_endpoint).netloc
    chosen = st.segmented_control(
        t("models.source"),
        list(names),
        default=_HUB,
        required=True,
        format_func=lambda name: names[name],
        key="fetch-source",
    )
    if chosen == _OTHER:
        st.text_input(t("models.address"), placeholder="https://…", key="fetch-address")


def _kind() -> None:
    names = {kind: t(words) for kind, words in _KINDS.items()}
    st.selectbox(t("models.kind"), list(names), format_func=lambda kind: names[kind], key="fetch-kind")


def _details() -> None:
    st.text_input(t("models.revision"), placeholder=t("models.revision_example"), key="fetch-revision")
    st.text_input(t("models.token"), type="password", help=t("models.token_help"), key="fetch-token")
    for name, label in (("include", t("models.include")), ("exclude", t("models.exclude"))):
        st.text_input(label, placeholder="*.json, *.safetensors", help=t("models.patterns_help"), key=f"fetch-{name}")


@callback
def _fetch(service: Service) -> None:
    token = _text("fetch-token")
    st.session_state["fetch-token"] = ""  # it stays nowhere
    name = _text("fetch-name")
    if not name:
        return
    kind = _text("fetch-kind")
    request = FetchRequest(
        name,
        source=source(service.settings),
        revision=_text("fetch-revision"),
        token=token,
        include=_patterns("fetch-include"),
        exclude=_patterns("fetch-exclude"),
        kind=cast(Kind, kind) if kind else None,
    )
    model_fetches.start(service, request)
    for key in ("name", "revision", "include", "exclude", "kind"):
        st.session_state[f"fetch-{key}"] = ""


def _text(key: str) -> str:
    return str(st.session_state.get(key) or "").strip()


def _patterns(key: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in _text(key).split(",") if part.strip())
