"""The panel beside the chat: a document opened at the words that an answer cites."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import streamlit as st

from app.cited_source import SourceView
from app.errors import HotswapError
from app.schema import Citation, Page
from app.service import Service
from app.ui.faults import callback
from app.ui.i18n import t
from app.ui.markup import plain
from app.ui.passages import marked

_VIEWER = Path(__file__).parent / "viewer"
_SCALE = 2.0  # pixels per point of a page's picture


def opened() -> tuple[Citation, ...] | None:
    """The citations that the panel shows: one document, one or more places of one passage."""
    citations: tuple[Citation, ...] | None = st.session_state.get("source")
    return citations


@callback
def open_one(citations: tuple[Citation, ...]) -> None:
    """Show these."""
    st.session_state["source"] = citations


@callback
def close() -> None:
    """Show none."""
    st.session_state.pop("source", None)


def panel(service: Service) -> None:
    """The opened source, into the container at hand."""
    citations = opened()
    if citations is None:
        return
    first = citations[0]
    with st.container(key="source-panel", border=True):
        with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
            st.markdown(f"**\\[{first.n}\\] {plain(first.doc)}**")
            st.button(
                "", key="close-source", type="tertiary", icon=":material/close:", help=t("source.close"), on_click=close
            )
        source = service.source(first.document_id, first.sha256)
        if source is None:
            st.info(t("source.removed_long"), icon=":material/link_off:")
            return
        st.caption(_place(first))
        with st.spinner(t("source.opening")):  # stands where the source before was
            data = _page(source, citations) or _text(source, citations)
        _viewer()(key="source-view", data=data)


def _place(citation: Citation) -> str:
    page = t("source.page", page=citation.page) if citation.page else ""
    state = t("source.quoted") if citation.supported else t("source.passage")
    return " · ".join(part for part in (plain(citation.heading), page, state) if part)


def _page(source: SourceView, citations: tuple[Citation, ...]) -> dict[str, Any] | None:
    """The picture of a PDF's page and the places of the words on it; None where there is none to be had."""
    page = next((page for page in source.pages if page.start <= citations[0].start < page.end), None)
    if source.media != "pdf" or source.path is None or page is None:
        return None
    try:
        picture, boxes = _pictured(str(source.path), citations[0].sha256, page, citations)
    except HotswapError:  # the file was changed or moved after it was read; its text is still there
        return None
    return {"picture": picture, "boxes": boxes, "alt": t("source.page", page=page.number)}


@st.cache_data(max_entries=16, show_spinner=False)
def _pictured(path: str, sha256: str, page: Page, citations: tuple[Citation, ...]) -> tuple[str, list[tuple[int, ...]]]:
    """A data URL, and boxes in its pixels. ``sha256`` is there to tell versions of the file apart."""
    from app.readers.pdf import page_image, word_boxes

    picture = base64.b64encode(page_image(Path(path), page.number, _SCALE)).decode("ascii")
    boxes = [
        tuple(box)
        for citation in citations
        for box in word_boxes(
            Path(path), page.number, citation.start - page.start, min(citation.end, page.end) - page.start, _SCALE
        )
    ]
    return f"data:image/png;base64,{picture}", boxes


def _text(source: SourceView, citations: tuple[Citation, ...]) -> dict[str, Any]:
    return {"parts": marked(source.text, [(citation.start, citation.end) for citation in citations])}


@st.cache_resource(show_spinner=False)
def _viewer() -> Any:
    """Registered once: Streamlit warns of a second component of one name."""
    html, css, js = ((_VIEWER / f"viewer.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    return st.components.v2.component("hotswap_source", html=html, css=css, js=js)
