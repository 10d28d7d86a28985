"""The switch between the languages, in the sidebar of every page."""

from __future__ import annotations

import streamlit as st

from app.ui import state
from app.ui.faults import callback
from app.ui.i18n import LANGUAGES, language, t


def draw() -> None:
    """Before whatever keeps the run going: it can then be used meanwhile."""
    with st.sidebar:
        st.segmented_control(
            t("page.language"),
            list(LANGUAGES),
            default=language(),
            required=True,
            format_func=lambda name: LANGUAGES[name],
            key="language-switch",
            on_change=_chosen,
            label_visibility="collapsed",
        )


@callback
def _chosen() -> None:
    state.keep("lang", st.session_state["language-switch"])
