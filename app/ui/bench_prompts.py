"""What is asked in a benchmark: questions about documents, a file of one's own, or prompts that are made up."""

from __future__ import annotations

import streamlit as st

from app.benchmark.bounds import MOST_TOKENS
from app.benchmark.prompts import PromptSource
from app.service import Service
from app.ui.faults import PageError
from app.ui.i18n import t

_DOCUMENTS, _FILE, _SYNTHETIC = "documents", "file", "synthetic"
_SOURCES = {_DOCUMENTS: "bench.documents", _FILE: "bench.file", _SYNTHETIC: "bench.synthetic"}
_AS_THEY_ARE = ""


def draw(service: Service) -> None:
    """The choice. Without documents nothing can be asked about them."""
    names = service.collections()
    sources = [source for source in _SOURCES if names or source != _DOCUMENTS]
    words = {source: t(key) for source, key in _SOURCES.items()}
    chosen = st.segmented_control(
        t("bench.prompts"),
        sources,
        default=sources[0] if names else _SYNTHETIC,
        required=True,
        format_func=words.__getitem__,
        key="bench-source",
    )
    if chosen == _DOCUMENTS:
        st.selectbox(t("library.collection"), names, key="bench-collection")
        st.caption(t("bench.documents_help"))
    elif chosen == _FILE:
        with st.container(key="upload"):
            st.file_uploader(t("bench.file"), type=["txt", "jsonl", "json"], key="bench-file")
        as_they_are = t("bench.as_they_are")
        st.selectbox(
            t("bench.asked_of"),
            [_AS_THEY_ARE, *names],
            format_func=lambda name: name or as_they_are,
            help=t("bench.asked_of_help"),
            key="bench-over",
        )
        st.caption(t("bench.file_help"))
    else:
        st.number_input(t("bench.prompt_tokens"), 1, MOST_TOKENS, PromptSource().tokens, key="bench-prompt-tokens")
        st.caption(t("bench.synthetic_help"))


def chosen() -> PromptSource:
    """What the form says.

    Raises:
        PageError: there is no file, or it is not text.
    """
    state = st.session_state
    source = state.get("bench-source") or _SYNTHETIC
    if source == _DOCUMENTS:
        return PromptSource("collection", collection=state["bench-collection"])
    if source == _SYNTHETIC:
        return PromptSource(tokens=int(state.get("bench-prompt-tokens") or PromptSource().tokens))
    given = state.get("bench-file")
    if given is None:
        raise PageError(t("bench.no_file"))
    try:
        text = given.getvalue().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PageError(t("measure.not_text", name=given.name)) from None
    collection = state.get("bench-over") or None
    return PromptSource("questions" if collection else "prompts", text=text, file=given.name, collection=collection)
