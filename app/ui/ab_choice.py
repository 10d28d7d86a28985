"""The choice of a second engine in the sidebar of the chat, and whether two can be compared now."""

from __future__ import annotations

import random

import streamlit as st

from app.engines.registry import ENGINES, ORDER
from app.models import Fit
from app.schema import EngineStatus
from app.service import Service
from app.sizes import size
from app.ui import state
from app.ui.engine_states import STATES, Look, answering
from app.ui.faults import PageError, callback
from app.ui.i18n import t
from app.ui.markup import plain

_PATIENCE = 2.0  # seconds that a click or a question waits for the first look at the engines


def second() -> str | None:
    """The second engine; None where one answers alone."""
    chosen = state.kept("ab")
    return chosen if chosen in ENGINES else None


def blind() -> bool:
    """Whether it is told only after the vote which engine said what."""
    return state.kept("blind") is not None


def engines(service: Service, first: str | None) -> tuple[str, str] | None:
    """The two to ask, A before B; ``first`` is the chosen one, None the live one. None where one answers alone.

    Raises:
        PageError: they cannot be compared now.
    """
    other = second()
    if other is None:
        return None
    look = STATES.known(service, _PATIENCE)
    if look is None:
        raise PageError(t("choice.looking"))
    one = _named(service, look, first)
    if problem := _hindrance(service, look, one, other):
        raise problem
    return (one, other) if not blind() or random.random() < 0.5 else (other, one)


def draw(service: Service, look: Look | None, first: str | None) -> None:
    """The switch, and below it the second engine."""
    st.session_state["ab-on"] = second() is not None
    st.toggle(t("ab.switch"), key="ab-on", on_change=_switched, args=(service, first), help=t("ab.switch_help"))
    other = second()
    if other is None:
        return
    states = {status.name: status for status in look.states} if look else {}
    st.session_state["ab-second"] = other
    st.selectbox(
        t("ab.second"), ORDER, format_func=lambda name: label(name, states), key="ab-second", on_change=_second_chosen
    )
    st.session_state["ab-blind"] = blind()
    st.toggle(t("ab.blind"), key="ab-blind", on_change=_blind_chosen, help=t("ab.blind_help"))
    if look is None:
        return
    one = _named(service, look, first)
    if problem := _hindrance(service, look, one, other):
        raise problem
    st.caption(t("ab.both_blind") if blind() else t("ab.both", one=plain(one), other=plain(other)))


def label(name: str, states: dict[str, EngineStatus]) -> str:
    """An engine in a list, with its model, or that it is not ready."""
    status = states.get(name)
    if status is None:
        return name
    if not status.ready:
        return t("choice.not_ready", name=name)
    return f"{name} · {status.model}" if status.model else name


def _named(service: Service, look: Look, first: str | None) -> str:
    """The engine that ``first`` stands for. Raises PageError where none is ready."""
    if first is not None:
        return first
    live = answering(look.states, service.switch.wanted)
    if live is None:
        raise PageError(t("choice.none_ready"), t("choice.none_ready_hint"))
    return live.name


def _hindrance(service: Service, look: Look, one: str, other: str) -> PageError | None:
    """Why these two cannot be compared now, if anything."""
    if one == other:
        return PageError(t("ab.same", name=one), t("ab.same_hint"))
    if problem := _no_room(service, look, one, other):
        return problem
    for status in look.states:
        if status.name in (one, other) and not status.ready:
            return PageError(t("ab.not_ready", name=status.name), f"{status.detail} {status.hint}")
    return None


def _no_room(service: Service, look: Look, one: str, other: str) -> PageError | None:
    """Whether their models fit into one memory beside each other; what is loaded already takes no more of it."""
    loaded = {name: engine.loaded for name, engine in service.switch.engines.items()}
    fits: list[Fit] = [fit for name in (one, other) if not loaded[name] and (fit := look.fits.get(name))]
    together = len({fit.memory.name for fit in fits}) == 1 and look.fits.get(one) and look.fits.get(other)
    if not together:
        return None
    need, free = sum(fit.need.total for fit in fits), min(fit.memory.free for fit in fits)
    if need <= free:
        return None
    sizes = {"need": size(need), "free": size(free), "where": fits[0].memory.name}
    return PageError(t("ab.no_room", one=one, other=other, **sizes), t("ab.no_room_hint"))


@callback
def _switched(service: Service, first: str | None) -> None:
    if not st.session_state["ab-on"]:
        state.keep("ab", None)
        return
    look = STATES.known(service, _PATIENCE)
    ready = [status.name for status in look.states if status.ready] if look else []
    live = answering(look.states, service.switch.wanted) if look else None
    taken = first or (live.name if live else None)
    others = [name for name in ORDER if name != taken]
    state.keep("ab", next((name for name in others if name in ready), others[0]))


@callback
def _second_chosen() -> None:
    state.keep("ab", st.session_state["ab-second"])


@callback
def _blind_chosen() -> None:
    state.keep("blind", "1" if st.session_state["ab-blind"] else None)
