"""Errors as the reader sees them: what happened and what to do next, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

import streamlit as st

from app.errors import HotswapError
from app.ui.i18n import gist, t
from app.ui.markup import plain

log = logging.getLogger(__name__)
P = ParamSpec("P")


class PageError(HotswapError):
    """One whose words are the page's own, and so in the reader's language already."""


def described(error: Exception) -> HotswapError:
    """``error`` itself where it is ours; anything else goes to the log, and one general line stands for it."""
    if isinstance(error, HotswapError):
        return error
    log.error("the page met an unexpected error", exc_info=error)
    return PageError(t("error.unexpected"), t("error.see_log"))


def show(error: HotswapError) -> None:
    """One line and its hint; where the reader's language is not theirs, the gist of it first."""
    lines = [line for line in (gist(error.code), error.message, error.hint) if line]
    first, *rest = (plain(line) for line in lines)
    st.error("  \n".join([f"**{first}**", *rest]), icon=":material/error:")


@contextmanager
def guarded() -> Iterator[None]:
    """What goes wrong inside is shown in its place."""
    try:
        yield
    except Exception as error:
        show(described(error))


def callback(function: Callable[P, None]) -> Callable[P, None]:
    """A widget's callback: what goes wrong in it is shown by :func:`show_notice` in the run that follows."""

    @wraps(function)
    def safe(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except Exception as error:
            st.session_state["notice"] = described(error)

    return safe


def show_notice() -> None:
    """What went wrong in the last callback, once."""
    if error := st.session_state.pop("notice", None):
        show(error)
