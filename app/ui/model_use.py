"""The button that switches to a model of this machine, and how that goes, beside the model."""

from __future__ import annotations

import streamlit as st

from app.inventory import ENGINES, ModelHere
from app.jobs import Job
from app.schema import EngineStatus
from app.service import Service
from app.ui.faults import callback, show
from app.ui.progress import Watched, dismissed

_USED = "model-use"  # the model that was asked for last in this session, and the switch to it


def answers(model: ModelHere, live: EngineStatus | None) -> bool:
    """Whether ``live``, the engine that answers, does so with ``model``."""
    names = (model.name, model.path.name, str(model.path))
    return live is not None and live.name in ENGINES and live.model in names


def button(service: Service, model: ModelHere, key: str, label: str) -> None:
    """Nothing for a model that no engine runs."""
    engine = next((verdict.engine for verdict in model.engines if verdict.runs), None)
    if engine is None:
        return
    asked, job = _last()
    busy = asked == model.name and job is not None and job.running
    icon = ":material/swap_horiz:"
    st.button(label, key=key, icon=icon, disabled=busy, on_click=_use, args=(service, engine, model.name))


def draw(model: ModelHere) -> list[Watched[EngineStatus]]:
    """The switch to ``model`` while it goes on; afterwards only why it failed."""
    asked, job = _last()
    mine = job if asked == model.name else None
    if mine is not None and mine.running:
        return [Watched(mine, st.empty())]
    with st.empty():  # in the very place of the progress
        if mine is not None and mine.error is not None and mine.id not in dismissed():
            show(mine.error)
    return []


@callback
def _use(service: Service, engine: str, model: str) -> None:
    st.session_state[_USED] = model, service.start_switch(engine, model)


def _last() -> tuple[str, Job[EngineStatus] | None]:
    asked: tuple[str, Job[EngineStatus]] | None = st.session_state.get(_USED)
    return asked or ("", None)
