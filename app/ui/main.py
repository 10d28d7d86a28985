"""The page's entry: Streamlit runs this file from top to bottom for every look at the page and every click."""

from __future__ import annotations

import streamlit as st

from app.service import Service, current
from app.ui import chat, library, opening, state
from app.ui.faults import callback, guarded
from app.ui.i18n import LANGUAGES, language, t


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
        _language_switch()
        opening.page_is_drawn(service)


def _pages(service: Service) -> dict[str, st.Page]:
    return {
        "chat": _page(service, "chat", t("page.chat"), ":material/chat:", default=True),
        "library": _page(service, "library", t("page.library"), ":material/folder_open:"),
    }


def _page(service: Service, name: str, title: str, icon: str, *, default: bool = False) -> st.Page:
    draw = chat.page if name == "chat" else library.page

    def run() -> None:
        with guarded():
            draw(service)

    return st.Page(run, title=title, icon=icon, url_path=name, default=default)


def _language_switch() -> None:
    with st.sidebar:
        st.segmented_control(
            t("page.language"),
            list(LANGUAGES),
            default=language(),
            required=True,
            format_func=lambda name: LANGUAGES[name],
            key="language-switch",
            on_change=_language_chosen,
            label_visibility="collapsed",
        )


@callback
def _language_chosen() -> None:
    state.keep("lang", st.session_state["language-switch"])


main()
