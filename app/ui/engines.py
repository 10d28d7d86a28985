"""The engines: which are ready and why not, which one answers, and the change to another one."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from app.engines.registry import ORDER
from app.schema import EngineStatus, Progress
from app.service import Service
from app.ui import engine_jobs, languages, progress, style
from app.ui.engine_cards import EngineCards
from app.ui.engine_states import STATES
from app.ui.faults import show_notice
from app.ui.i18n import t

_PULSE = 2.0  # seconds between two looks while nothing is being done
_PATIENCE = 1.0  # seconds that the page may be late rather than flicker


class Seen(NamedTuple):
    """All that the page tells; what differs from it calls for another run."""

    states: tuple[EngineStatus, ...]
    ollama_models: tuple[str, ...]
    wanted: str
    readers: dict[str, int]
    jobs: tuple[str, ...]
    loading: Progress | None


def page(service: Service) -> None:
    """The page itself."""
    style.draw()
    languages.draw()
    look = STATES.known(service, _PATIENCE)
    seen = _seen(service)
    with st.container(key="engines"):
        st.markdown(f"## {t('engines.title')}")
        st.markdown(t("engines.text"))
        with st.empty():
            show_notice()
        loading = st.empty()
        cards = EngineCards(service, look, seen.wanted)
        watched = cards.auto()
        for name in ORDER:
            watched += cards.draw(name, seen.readers[name])
        if seen.loading is not None and not watched:  # asked for by the first question, or by a command
            loading.info(engine_jobs.stage(seen.loading), icon=":material/hourglass_top:")
    if watched:
        progress.watch(watched, engine_jobs.bar, lambda: _differs(service, seen))
    else:
        st.fragment(_pulse, run_every=_PULSE)(service, seen)


def _seen(service: Service) -> Seen:
    switch = service.switch
    look = STATES.known(service)
    jobs = tuple(f"{job.id} {job.running}" for job in service.engine_jobs())
    return Seen(
        look.states if look else (),
        look.ollama_models if look else (),
        switch.wanted,
        {name: switch.readers(name) for name in ORDER},
        jobs,
        switch.progress,
    )


def _differs(service: Service, seen: Seen) -> bool:
    """Progress aside, which is drawn as it comes."""
    return _seen(service)._replace(loading=None) != seen._replace(loading=None)


def _pulse(service: Service, seen: Seen) -> None:
    if _seen(service) != seen:
        st.rerun()
