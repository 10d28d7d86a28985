"""The engines: which are ready and why not, which one answers, and the change to another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import streamlit as st

from app.engines.registry import ORDER
from app.inventory import ModelHere
from app.jobs import Job
from app.schema import EngineStatus, Progress
from app.service import Service
from app.ui import engine_jobs, languages, model_fetches, models, progress, style
from app.ui.engine_cards import EngineCards
from app.ui.engine_states import STATES, answering
from app.ui.faults import show_notice
from app.ui.i18n import t
from app.ui.model_states import MODELS
from app.ui.progress import Bar

_PULSE = 2.0  # seconds between two looks while nothing is being done
_PATIENCE = 1.0  # seconds that the page may be late rather than flicker


class Seen(NamedTuple):
    """All that the page tells; what differs from it calls for another run."""

    states: tuple[EngineStatus, ...]
    ollama_models: tuple[str, ...]
    wanted: str
    readers: dict[str, int]
    jobs: tuple[str, ...]
    models: tuple[ModelHere, ...]
    loading: Progress | None


def page(service: Service) -> None:
    """The page itself."""
    style.draw()
    languages.draw()
    look = STATES.known(service, _PATIENCE)
    seen = _seen(service)
    with st.container(key="engines"):
        st.markdown(f"## {t('engines.title')}")
        st.markdown(f"{t('engines.text')} [{t('models.lead')}](#{models.ANCHOR})")
        with st.empty():
            show_notice()
        loading = st.empty()
        cards = EngineCards(service, look, seen.wanted)
        watched = cards.auto()
        for name in ORDER:
            watched += cards.draw(name, seen.readers[name])
        if seen.loading is not None and not watched:  # asked for by the first question, or by a command
            loading.info(engine_jobs.stage(seen.loading), icon=":material/hourglass_top:")
    watching = [*watched, *models.draw(service, answering(look.states, seen.wanted) if look else None)]

    def changed() -> bool:
        cards.routes.again()  # by itself it would wait until this run, which lasts, has ended
        return _differs(service, seen)

    if watching:
        progress.watch(watching, lambda job: _bar(service, job), changed)
    else:
        st.fragment(_pulse, run_every=_PULSE)(service, seen)


def _seen(service: Service) -> Seen:
    switch = service.switch
    look = STATES.known(service)
    every: list[Job[Any]] = [*service.engine_jobs(), *service.models.jobs()]
    models_seen = MODELS.known(service)
    return Seen(
        look.states if look else (),
        look.ollama_models if look else (),
        switch.wanted,
        {name: switch.readers(name) for name in ORDER},
        tuple(f"{job.id} {job.running}" for job in every),
        tuple(replace(model, fits=()) for model in models_seen.models) if models_seen else (),
        switch.progress,
    )


def _bar(service: Service, job: Job[Any]) -> Bar:
    return model_fetches.bar(job) if job in service.models.jobs() else engine_jobs.bar(job)


def _differs(service: Service, seen: Seen) -> bool:
    """Progress aside, which is drawn as it comes."""
    return _seen(service)._replace(loading=None) != seen._replace(loading=None)


def _pulse(service: Service, seen: Seen) -> None:
    if _seen(service) != seen:
        st.rerun()
