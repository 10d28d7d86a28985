"""Models that are worth fetching for this machine, by its memory and the reader's language."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import streamlit as st

from app.models import FetchRequest, Memory
from app.service import Service
from app.sizes import size
from app.text import Language
from app.ui import model_fetches, model_form
from app.ui.faults import callback
from app.ui.i18n import language, t
from app.ui.markup import plain

if TYPE_CHECKING:
    from app.models.recommended import Recommended, RecommendedKind

_MANY: dict[RecommendedKind, int] = {"chat": 3, "vision": 1, "embedding": 1, "reranker": 1}
_KINDS: dict[RecommendedKind, str] = {
    "chat": "models.kind_chat",
    "vision": "models.kind_vision",
    "embedding": "models.kind_embedding",
    "reranker": "models.kind_reranker",
}
_CPU_AT_MOST = 8_000_000_000  # bytes; what is larger writes too slowly there


def picks(memory: Memory, here: Collection[str], language: Language, *, from_modelscope: bool) -> list[Recommended]:
    """A few of each kind that fit and are not ``here``: the largest; on a CPU, beside chat models, the smallest."""
    from app.models.recommended import fitting, suits

    gpu = memory.device == "cuda"
    room = memory.total if gpu else min(memory.total, _CPU_AT_MOST)
    found: list[Recommended] = []
    for kind, many in _MANY.items():
        fit = [
            model
            for model in fitting(room, kind, language)
            if suits(model, memory)
            and not {model.name, model.modelscope}.intersection(here)
            and (model.modelscope or not from_modelscope)
        ]
        found += fit[:many] if gpu or kind == "chat" else fit[-many:]
    return found


def draw(service: Service, memory: Memory, here: Collection[str]) -> None:
    """Each with a button that fetches it from the chosen source."""
    from_modelscope = model_form.source(service.settings) == "modelscope"
    with st.container(key="picks", gap=None):
        for model in picks(memory, here, language(), from_modelscope=from_modelscope):
            name = model.modelscope if from_modelscope else model.name
            if not model_fetches.is_fetching(service, name):
                _row(service, model, name)


def _row(service: Service, model: Recommended, name: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"pick-{model.name}", gap="small"):
        with st.container(gap=None):
            st.markdown(f"**{plain(name)}** :gray-badge[{t(_KINDS[model.kind])}]")
            why = model.why_zh if language() == "zh" else model.why_en
            amounts = t("models.pick_amounts", size=size(model.size), memory=size(model.memory))
            gated = f" · :material/lock: {t('models.gated')}" if model.gated else ""
            st.caption(f"{plain(why)}  \n{amounts}{gated}")
        kind = model.kind if model.kind in ("embedding", "reranker") else None
        request = FetchRequest(name, source=model_form.source(service.settings), kind=kind)
        icon, args = ":material/download:", (service, request)
        st.button(t("models.fetch"), key=f"fetch-{model.name}", icon=icon, on_click=_fetch, args=args)


@callback
def _fetch(service: Service, request: FetchRequest) -> None:
    model_fetches.start(service, request)
