"""What the address of the page remembers, so that F5, a bookmark and a second tab find it again.

Streamlit forgets the query when the reader goes from page to page: the session carries it over.
"""

from __future__ import annotations

from typing import Literal

import streamlit as st

Kept = Literal["lang", "c", "docs", "engine", "ab", "blind", "view"]
"""Language, conversation, documents, engine, a second engine, whether it is compared blind, view of the page that
measures."""
_NAMES: tuple[Kept, ...] = ("lang", "c", "docs", "engine", "ab", "blind", "view")


def restore() -> None:
    """Bring session and address together at the start of a run; the address wins."""
    for name in _NAMES:
        if name in st.query_params:
            st.session_state[name] = st.query_params[name]
        elif name in st.session_state:
            st.query_params[name] = st.session_state[name]


def kept(name: Kept) -> str | None:
    """What is remembered under ``name``."""
    value = st.session_state.get(name)
    return str(value) if value else None


def keep(name: Kept, value: str | None) -> None:
    """Remember ``value``, or nothing any more."""
    if value:
        st.session_state[name] = value
        st.query_params[name] = value
    else:
        st.session_state.pop(name, None)
        st.query_params.pop(name, None)
