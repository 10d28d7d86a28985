"""What comes first when the page is opened: the box to type in, then all else, and last what is heavy to load."""

from __future__ import annotations

import threading
import time

import streamlit as st

from app.service import Service

_HEAD_START = 0.4  # seconds that the browser gets to draw the box before it has to load the parts of everything else
_BEFORE_LOADING = 1.5  # seconds that the server then gets to hand those parts out


def box_is_drawn() -> None:
    """Called right after the box to type in; holds back the rest of a session's first run."""
    if "opened" not in st.session_state:
        st.session_state["opened"] = True
        time.sleep(_HEAD_START)


def page_is_drawn(service: Service) -> None:
    """Called at the end of a run: loads what the first answer needs, soon and in the background."""
    if "warming" not in st.session_state:
        st.session_state["warming"] = True
        timer = threading.Timer(_BEFORE_LOADING, service.warm_up)
        timer.daemon = True
        timer.start()
