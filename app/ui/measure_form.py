"""The form that begins an evaluation: of which documents, with which questions, and which settings beside ours."""

from __future__ import annotations

import streamlit as st

from app.evaluation.questions import dump
from app.evaluation.work import MADE, Request
from app.service import Service
from app.ui import measure_runs
from app.ui.engine_states import STATES
from app.ui.faults import PageError, callback
from app.ui.i18n import t

_MOST = 500  # questions made at once
_PATIENCE = 0.5  # seconds that the page may be late rather than offer too little
_MAKE, _FILE, _BEFORE = "make", "file", "before"
_SOURCES = {_MAKE: "measure.make", _FILE: "measure.file", _BEFORE: "measure.before"}
_GAP = ""


def draw(service: Service) -> None:
    """The form; where there are no documents, a word on how to get some."""
    names = service.collections()
    if not names:
        st.info(t("measure.no_documents"), icon=":material/description:")
        return
    with st.container(border=True, key="measure-form"):
        st.selectbox(t("library.collection"), names, key="measure-collection")
        kept = measure_runs.labels(service)
        sources = [_MAKE, _FILE, *([_BEFORE] if kept else [])]
        words = {source: t(key) for source, key in _SOURCES.items()}
        chosen = st.segmented_control(
            t("measure.questions"),
            sources,
            default=_MAKE,
            required=True,
            format_func=words.__getitem__,
            key="measure-source",
        )
        if chosen == _FILE:
            with st.container(key="upload"):
                st.file_uploader(t("measure.file"), type=["jsonl", "json", "txt"], key="measure-file")
            st.caption(t("measure.file_help"))
        elif chosen == _BEFORE:
            st.selectbox(t("measure.before_which"), list(kept), format_func=lambda run: kept[run], key="measure-before")
        else:
            _make(service)
        st.text_input(
            t("measure.compare"),
            placeholder="STRICTNESS=0.7",
            help=t("measure.compare_help"),
            key="measure-compare",
        )
        st.button(
            t("measure.start"),
            type="primary",
            icon=":material/play_arrow:",
            key="measure-start",
            on_click=_start,
            args=(service,),
        )


def _make(service: Service) -> None:
    look = STATES.known(service, _PATIENCE)
    ready = [status.name for status in look.states if status.ready and status.name != "extractive"] if look else []
    gaps = t("measure.gaps")
    left, right = st.columns(2)
    with left:
        st.number_input(t("measure.how_many"), 1, _MOST, MADE, key="measure-make")
    with right:
        st.selectbox(
            t("measure.writer"),
            [_GAP, *ready],
            format_func=lambda name: name or gaps,
            help=t("measure.writer_help"),
            key="measure-writer",
        )


@callback
def _start(service: Service) -> None:
    state = st.session_state
    source = state.get("measure-source") or _MAKE
    questions, file, engine = None, "", None
    if source == _FILE:
        given = state.get("measure-file")
        if given is None:
            raise PageError(t("measure.no_file"))
        file = given.name
        questions = _decoded(given.getvalue(), file)
    elif source == _BEFORE:
        run = measure_runs.loaded(service, state["measure-before"])
        if run is None:
            raise PageError(t("measure.gone"))
        file = run.name or f"{run.made}.jsonl"
        questions = dump(run.questions())
    else:
        engine = state.get("measure-writer") or None
    collection = state["measure-collection"]
    request = Request(
        questions=questions,
        file=file,
        collection=collection,
        make=int(state.get("measure-make") or MADE),
        engine=engine,
        compare=tuple((state.get("measure-compare") or "").split()),
    )
    service.evaluations.start(" · ".join(filter(None, (collection, file, *request.compare))), request)


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PageError(t("measure.not_text", name=name)) from None
