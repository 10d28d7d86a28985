"""The empty chat: what this is, questions to begin with, and how to connect a model where there is none."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.schema import DocumentInfo
from app.service import Service
from app.ui import choices, connect
from app.ui.engine_states import STATES
from app.ui.i18n import t

_GUIDE = "switching-engines.md"  # a document of the guide that comes with the product
_EXAMPLES = ("welcome.example_switch", "welcome.example_memory", "welcome.example_formats", "welcome.example_offline")


def greeting() -> None:
    """What stands above the box to type in."""
    st.markdown(f"## {t('welcome.title')}")
    st.markdown(t("welcome.text"))


def offers(service: Service, ask: Callable[[str], None]) -> None:
    """What stands below it; ``ask`` is called with an example that is clicked."""
    with st.container(key="offers"):
        documents = choices.documents_in_use(service)
        if documents is not None and not documents:
            st.info(t("welcome.no_documents"), icon=":material/description:")
            st.page_link(
                st.session_state["pages"]["library"], label=t("welcome.add_documents"), icon=":material/library_add:"
            )
        elif documents and _has_guide(documents):
            st.caption(t("welcome.examples"))
            with st.container(key="examples", horizontal=True, gap="small"):
                for key in _EXAMPLES:
                    st.button(t(key), key=f"example-{key}", on_click=ask, args=(t(key),))
    connect_card(service)


def _has_guide(documents: list[DocumentInfo]) -> bool:
    return any(document.doc.endswith(_GUIDE) for document in documents)


def connect_card(service: Service) -> None:
    """How to connect a model; nothing where one is ready, or where the settings want none."""
    look = STATES.known(service)
    if look is None or service.switch.wanted == "extractive":
        return
    if any(state.ready for state in look.states if state.name != "extractive"):
        return
    machine = connect.this_machine()
    with st.container(border=True, key="connect"):
        st.markdown(f"#### {t('connect.title')}")
        st.markdown(t("connect.without"))
        st.markdown(t("connect.ollama_there" if machine.has_ollama else "connect.ollama", model=machine.model))
        st.code("\n".join(connect.ollama_commands(machine)), language="bash")
        st.markdown(t("connect.then"))
        with st.expander(t("connect.vllm_title")):
            st.markdown(t("connect.vllm"))
            st.code("\n".join(connect.vllm_commands(machine)), language="bash")
            st.caption(t("connect.more"))
        with st.expander(t("connect.files_title")):
            st.markdown(t("connect.files"))
            st.page_link(st.session_state["pages"]["engines"], label=t("page.engines"), icon=":material/swap_horiz:")
        if st.button(t("connect.check"), key="check-engines", icon=":material/refresh:"):
            with st.spinner(t("connect.checking")):
                STATES.look_now(service)
                service.forget_choices()
            st.rerun()
