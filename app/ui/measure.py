"""Measuring: how well search does, how fast engines answer, whose answers are liked. Each has a view of its own."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.service import Service
from app.ui import ab_results, bench, languages, measure_search, state, style
from app.ui.faults import callback, show_notice
from app.ui.i18n import t

_SEARCH = "search"
_VIEWS: dict[str, Callable[[Service], None]] = {
    _SEARCH: measure_search.draw,
    "engines": bench.draw,
    "votes": ab_results.draw,
}


def page(service: Service) -> None:
    """The page itself."""
    style.draw()
    languages.draw()
    with st.container(key="measure"):
        st.markdown(f"## {t('measure.title')}")
        view = _view()
        with st.empty():
            show_notice()
        # A place for each, else the end of another view would stay below as long as this one's work lasts.
        places = {name: st.container(key=f"measure-{name}") if name == view else st.empty() for name in _VIEWS}
        with places[view]:
            _VIEWS[view](service)


def _view() -> str:
    """The one that the address names."""
    words = {_SEARCH: t("measure.search"), "engines": t("measure.engines"), "votes": t("measure.votes")}
    current = state.kept("view") or _SEARCH
    if current not in _VIEWS:  # such as one that an address made up
        current = _SEARCH
    st.session_state["measure-view"] = current
    st.segmented_control(
        t("measure.what"),
        list(_VIEWS),
        required=True,
        format_func=words.__getitem__,
        key="measure-view",
        on_change=_chosen,
        label_visibility="collapsed",
    )
    return current


@callback
def _chosen() -> None:
    view = st.session_state["measure-view"]
    state.keep("view", None if view == _SEARCH else view)
