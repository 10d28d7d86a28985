"""The page's entry: Streamlit runs this file from top to bottom for every look at the page and every click."""

from __future__ import annotations

import streamlit as st

from app.service import Service, current
from app.ui import chat, engines, library, measure, opening, state
from app.ui.faults import guarded
from app.ui.i18n import t

_DRAW = {"chat": chat.page, "library": library.page, "engines": engines.page, "measure": measure.page}


def main() -> None:
    """The frame that all pages share, and the page that is asked for."""
    state.restore()
    st.set_page_config(page_title="Hotswap", page_icon="🔁", layout="centered")
    with guarded():
        service = current()
        pages = _pages(service)
        st.session_state["pages"] = pages
        page = st.navigation(list(pages.values()))
        page.run()
        opening.page_is_drawn(service)


def _pages(service: Service) -> dict[str, st.Page]:
    return {
        "chat": _page(service, "chat", t("page.chat"), ":material/chat:", default=True),
        "library": _page(service, "library", t("page.library"), ":material/folder_open:"),
        "engines": _page(service, "engines", t("page.engines"), ":material/swap_horiz:"),
        "measure": _page(service, "measure", t("page.measure"), ":material/monitoring:"),
    }


def _page(service: Service, name: str, title: str, icon: str, *, default: bool = False) -> st.Page:
    def run() -> None:
        with guarded():
            _DRAW[name](service)

    return st.Page(run, title=title, icon=icon, url_path=name, default=default)


main()
