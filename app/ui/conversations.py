"""The list of conversations in the sidebar, and which one the page shows (``?c=`` in its address)."""

from __future__ import annotations

import streamlit as st

from app.conversation.history import Conversation
from app.service import Service
from app.ui import export, state
from app.ui.faults import callback
from app.ui.i18n import language, t
from app.ui.live import ANSWERS
from app.ui.markup import plain

_AT_ONCE = 30  # conversations listed before "show more"
_TITLE = 40  # characters


def current() -> str | None:
    """The conversation on the page; None before its first question."""
    return state.kept("c")


@callback
def open_one(conversation: str | None) -> None:
    """Show another conversation, or with None an empty chat."""
    state.keep("c", conversation)
    st.session_state.pop("source", None)


def new_button() -> None:
    """Begins another conversation."""
    st.button(
        t("talks.new"), key="new-chat", icon=":material/edit_square:", width="stretch", on_click=open_one, args=(None,)
    )


def draw(service: Service) -> None:
    """The list, newest first, into the container at hand."""
    conversations = service.history.list()
    if not conversations:
        return
    shown = int(st.session_state.get("talks-shown", _AT_ONCE))
    st.caption(t("talks.title"))
    with st.container(key="conversations", gap=None):
        for conversation in conversations[:shown]:
            _row(service, conversation)
        if len(conversations) > shown:
            st.button(t("talks.more"), key="talks-more", type="tertiary", on_click=_show_more, args=(shown,))


def _show_more(shown: int) -> None:
    st.session_state["talks-shown"] = shown + _AT_ONCE


def _row(service: Service, conversation: Conversation) -> None:
    title = conversation.title or t("talks.untitled")
    short = title if len(title) <= _TITLE else title[:_TITLE].rstrip() + "…"
    here = conversation.id == current()
    row = f"talk-row-{conversation.id}"
    with st.container(horizontal=True, wrap=False, gap=None, vertical_alignment="center", key=row):
        st.button(
            f"**{plain(short)}**" if here else plain(short),
            key=f"talk-{conversation.id}",
            type="tertiary",
            width="stretch",
            on_click=open_one,
            args=(conversation.id,),
        )
        if here:
            with st.popover("⋯", type="tertiary", key=f"talk-menu-{conversation.id}"):
                _menu(service, conversation)


def _menu(service: Service, conversation: Conversation) -> None:
    key = f"rename-{conversation.id}"
    st.text_input(
        t("talks.rename"),
        conversation.title,
        max_chars=80,
        key=key,
        on_change=_rename,
        args=(service, conversation.id, key),
    )
    of = language()
    st.download_button(
        t("talks.export"),
        lambda: export.markdown(conversation.title, service.history.messages(conversation.id, service.quote), of),
        export.file_name(conversation.title),
        "text/markdown",
        on_click="ignore",
        icon=":material/download:",
        key="export-chat",
    )
    st.button(
        t("talks.delete"),
        key="delete-chat",
        icon=":material/delete:",
        on_click=_delete,
        args=(service, conversation.id),
    )


@callback
def _rename(service: Service, conversation: str, key: str) -> None:
    title = str(st.session_state[key]).strip()
    if title:
        service.history.rename(conversation, title)


@callback
def _delete(service: Service, conversation: str) -> None:
    ANSWERS.forget(conversation)
    service.history.delete(conversation)
    if current() == conversation:
        open_one(None)
