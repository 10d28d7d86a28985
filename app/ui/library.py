"""The library: collections, files dragged in, the work on them, and the documents that are there."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from app.errors import CollectionError
from app.knowledge.library import DEFAULT_COLLECTION
from app.readers import SUFFIXES
from app.schema import DocumentInfo
from app.service import Service
from app.sizes import size
from app.ui import ingestion, languages, progress, style
from app.ui.faults import callback, show_notice
from app.ui.i18n import t
from app.ui.markup import plain

_AT_ONCE = 50  # documents on one page of the list
_JOBS = 5


def page(service: Service) -> None:
    """The page itself."""
    style.draw()
    languages.draw()
    with st.container(key="library"):
        st.markdown(f"## {t('library.title')}")
        show_notice()
        collection = _collection(service)
        _uploader(service, collection)
        watched = progress.draw(service.jobs(), ingestion.ended, _JOBS)
        _documents(service, collection)
    progress.watch(watched, ingestion.bar)


def _collection(service: Service) -> str:
    names = service.collections()
    names = names if DEFAULT_COLLECTION in names else [DEFAULT_COLLECTION, *names]
    chosen: str | None = st.selectbox(
        t("library.collection"),
        names,
        key="collection",
        accept_new_options=True,
        help=t("library.collection_help"),
        persist_state="session",
    )
    return chosen or DEFAULT_COLLECTION


def _uploader(service: Service, collection: str) -> None:
    """A fresh uploader after each delivery: the old one would go on listing what was taken."""
    key = f"upload-{st.session_state.get('uploads', 0)}"
    with st.container(key="upload"):
        st.file_uploader(
            t("library.upload"),
            accept_multiple_files=True,
            key=key,
            on_change=_uploaded,
            args=(service, collection, key),
        )
        kinds = " ".join(sorted(suffix.lstrip(".") for suffix in SUFFIXES))
        st.caption(t("library.kinds", kinds=kinds, most=service.settings.max_upload_mb))


@callback
def _uploaded(service: Service, collection: str, key: str) -> None:
    files = st.session_state.get(key) or []
    if files:
        st.session_state["uploads"] = st.session_state.get("uploads", 0) + 1
        service.upload([(file.name, file.getvalue()) for file in files], collection)


def _documents(service: Service, collection: str) -> None:
    try:
        documents = service.documents(collection)
    except CollectionError:  # one that is made by the first file put into it
        documents = []
    if not documents:
        st.info(t("library.empty"), icon=":material/description:")
        return
    st.markdown(f"#### {t('library.documents', count=len(documents))}")
    if len(documents) > _AT_ONCE:
        wanted = st.text_input(t("library.filter"), key="filter").strip().lower()
        documents = [document for document in documents if wanted in document.doc.lower()]
    with st.container(key="documents", gap=None):
        for document in documents[:_AT_ONCE]:
            _row(service, collection, document)
    if len(documents) > _AT_ONCE:
        st.caption(t("library.more", count=len(documents) - _AT_ONCE))


def _row(service: Service, collection: str, document: DocumentInfo) -> None:
    with st.container(
        horizontal=True, wrap=False, vertical_alignment="center", key=f"document-{document.id}", gap="small"
    ):
        with st.container(gap=None):
            st.markdown(plain(document.doc))
            st.caption(_facts(document))
        st.button(
            "",
            key=f"remove-{document.id}",
            type="tertiary",
            icon=":material/delete:",
            help=t("library.remove"),
            on_click=_remove_asked,
            args=(collection, document),
        )
    if st.session_state.get("removing") == (collection, document):
        _confirm(service, collection, document)


def _facts(document: DocumentInfo) -> str:
    return t("library.facts", size=size(document.size), chunks=document.chunks, date=_date(document.added_at))


def _date(iso: str) -> str:
    try:
        return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return iso


def _remove_asked(collection: str, document: DocumentInfo) -> None:
    st.session_state["removing"] = (collection, document)


def _confirm(service: Service, collection: str, document: DocumentInfo) -> None:
    with st.container(border=True, key="confirm"):
        st.markdown(t("library.confirm", doc=plain(document.doc)))
        with st.container(horizontal=True):
            st.button(
                t("library.remove"),
                key="confirm-remove",
                type="primary",
                on_click=_remove,
                args=(service, collection, document),
            )
            st.button(t("library.keep"), key="confirm-keep", on_click=_removal_ended)


@callback
def _remove(service: Service, collection: str, document: DocumentInfo) -> None:
    _removal_ended()
    service.remove([document.doc], collection)


def _removal_ended() -> None:
    st.session_state.pop("removing", None)
