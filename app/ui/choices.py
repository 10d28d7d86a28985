"""The two choices in the sidebar of the chat: which documents, and which engine."""

from __future__ import annotations

import streamlit as st

from app.engines.registry import AUTO, ENGINES, ORDER
from app.knowledge.library import DEFAULT_COLLECTION
from app.schema import DocumentInfo, EngineStatus
from app.service import Service
from app.ui import ab_choice, state
from app.ui.engine_states import STATES, answering
from app.ui.faults import PageError, callback, guarded
from app.ui.i18n import t
from app.ui.markup import plain

NO_DOCUMENTS = "-"
"""In the address: plain chat. No collection can be called so."""
_PATIENCE = 0.3  # seconds: while an answer streams, what came too late would not be drawn


def collection() -> str | None:
    """The collection to ask; None is plain chat."""
    chosen = state.kept("docs") or DEFAULT_COLLECTION
    return None if chosen == NO_DOCUMENTS else chosen


def engine() -> str | None:
    """The engine to ask; None is the live one."""
    chosen = state.kept("engine")
    return chosen if chosen in ENGINES else None


def documents_in_use(service: Service) -> list[DocumentInfo] | None:
    """What is in the collection to ask; None in plain chat."""
    name = collection()
    if name is None:
        return None
    return service.documents(name) if name in service.collections() else []


def draw(service: Service) -> None:
    """Both choices, into the container at hand."""
    _documents(service)
    _engine(service)


def _documents(service: Service) -> None:
    names = service.collections() or [DEFAULT_COLLECTION]
    current = collection() or NO_DOCUMENTS
    options = [*names, NO_DOCUMENTS]
    if current not in options:  # such as a collection that an old address names
        current = options[0]
        state.keep("docs", None if current == DEFAULT_COLLECTION else current)
    st.selectbox(
        t("choice.documents"),
        options,
        index=options.index(current),
        format_func=lambda name: t("choice.no_documents") if name == NO_DOCUMENTS else name,
        key="choose-documents",
        on_change=_documents_chosen,
    )


@callback
def _documents_chosen() -> None:
    chosen = st.session_state["choose-documents"]
    state.keep("docs", None if chosen == DEFAULT_COLLECTION else chosen)


def _engine(service: Service) -> None:
    waiting = STATES.known(service, _PATIENCE) is None
    st.fragment(_engine_box, run_every=0.5 if waiting else None)(service, waiting)
    st.page_link(st.session_state["pages"]["engines"], label=t("choice.engines"), icon=":material/swap_horiz:")


def _engine_box(service: Service, waiting: bool) -> None:
    with guarded():
        look = STATES.known(service)
        if waiting and look is not None:
            st.rerun()  # the whole page, which then polls no more
        states = look.states if look else ()
        live = answering(states, service.switch.wanted)
        by_name = {status.name: status for status in states}
        st.session_state["choose-engine"] = engine() or AUTO  # the browser would stay with a label that has changed
        st.selectbox(
            t("choice.engine") if ab_choice.second() is None else t("ab.first"),
            [AUTO, *ORDER],
            format_func=lambda name: _auto_label(live) if name == AUTO else ab_choice.label(name, by_name),
            key="choose-engine",
            on_change=_engine_chosen,
        )
        if look is None or ab_choice.second() is None:
            st.caption(_explained(engine() or service.switch.wanted, by_name) if look else t("choice.looking"))
        ab_choice.draw(service, look, engine())


@callback
def _engine_chosen() -> None:
    chosen = st.session_state["choose-engine"]
    state.keep("engine", None if chosen == AUTO else chosen)


def _auto_label(live: EngineStatus | None) -> str:
    return f"{AUTO} · {live.name}" if live else AUTO


def _explained(wanted: str, states: dict[str, EngineStatus]) -> str:
    """Who will answer; for an engine that is not ready, why, and who stands in for it."""
    answers = answering(tuple(states.values()), wanted)
    if answers is None:
        raise PageError(t("choice.none_ready"), t("choice.none_ready_hint"))
    status = states.get(wanted)
    if status is None or status.ready:
        return t("choice.answers", name=plain(answers.name))
    return f"{plain(status.detail)} {plain(status.hint)} {t('choice.stands_in', name=plain(answers.name))}"
