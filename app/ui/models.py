"""The models on this machine, below the engines that run them: fetched, listed, used, removed."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.schema import EngineStatus
from app.service import Service
from app.ui import model_fetches, model_form, model_list, model_picks, progress
from app.ui.i18n import t
from app.ui.model_states import MODELS
from app.ui.progress import Watched

ANCHOR = "models"
"""Where links lead to."""
_PATIENCE = 0.5  # seconds that the page may be late rather than flicker
_JOBS = 4


def draw(service: Service, live: EngineStatus | None) -> list[Watched[Any]]:
    """The section; ``live`` is the engine that answers. Tells of the work that goes on."""
    look = MODELS.known(service, _PATIENCE)
    here = look.models if look else ()
    with st.container(key="models"):
        st.header(t("models.title"), anchor=ANCHOR)
        st.markdown(t("models.text"))
        model_form.draw(service)
        watched: list[Watched[Any]] = [
            *progress.draw(model_fetches.shown(service), model_fetches.Ended(service, here, live), _JOBS)
        ]
        if look is None:
            st.caption(t("models.looking"))
            return watched
        names = {model.name for model in here if model.complete}
        watched += model_list.draw(service, here, live)
        if not service.settings.offline:
            label = t("models.picks" if here else "models.picks_first")
            with st.expander(label, icon=":material/recommend:", expanded=not here):
                model_picks.draw(service, look.memory, names)
    return watched
