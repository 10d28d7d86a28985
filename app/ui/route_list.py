"""The servers of the engine ``vllm_openai``, live on its card: where each is, how it is and why, how much it does."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.engines.routing.health import SLOW_START
from app.schema import RouteStatus
from app.service import Service
from app.ui.faults import guarded
from app.ui.i18n import t
from app.ui.markup import plain

_EVERY = 2.0  # seconds between two looks
_BADGES = {
    "in": ("green", "check", "engines.ready"),
    "busy": ("blue", "hourglass_top", "routes.busy"),
    "out": ("red", "close", "routes.out"),
    "misconfigured": ("orange", "build", "routes.misconfigured"),
}
_NEW = ("gray", "schedule", "routes.new")


class RouteList:
    """The list on its card. It keeps itself up to date, but for a run that lasts, which calls :meth:`again`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._place: DeltaGenerator | None = None

    def draw(self) -> None:
        """Nothing where there is nothing to tell."""
        with st.container(key="routes"):
            if self._statuses():
                self._place = st.fragment(self._live, run_every=_EVERY)()

    def again(self) -> None:
        """As things are by now."""
        if self._place is not None:
            self._fill(self._place)

    def _live(self) -> DeltaGenerator:
        place = st.empty()
        with guarded():
            self._fill(place)
        return place

    def _fill(self, place: DeltaGenerator) -> None:
        routes = self._statuses()
        if len(routes) > 1 or any(map(_is_unwell, routes)):
            place.markdown(_rows(routes))
        else:
            place.empty()

    def _statuses(self) -> tuple[RouteStatus, ...]:
        """Asked anew each time: a switch puts another engine in the place of this one."""
        engine = self._service.switch.engines.get("vllm_openai")
        found: tuple[RouteStatus, ...] = getattr(engine, "routes", tuple)()
        return found


def _is_unwell(route: RouteStatus) -> bool:
    return bool(route.state != "in" or route.reason or route.problem)


def _rows(routes: Sequence[RouteStatus]) -> str:
    """One paragraph for each: many elements would flicker, one does not."""
    return "\n\n".join("  \n".join(_lines(route)) for route in routes)


def _lines(route: RouteStatus) -> list[str]:
    lines = [" ".join([f"**{plain(route.name)}**", *_badges(route)])]
    if state := _state(route):
        lines[0] += f" :small[{' · '.join(state)}]"
    where = [part for part in (plain(route.url), plain(route.model)) if part]
    lines.append(f":small[:gray[{' · '.join([*where, *_facts(route)])}]]")
    if route.problem:
        lines.append(f":small[:orange[:material/warning:] {_line(route.problem)}]")
    return lines


def _badges(route: RouteStatus) -> list[str]:
    color, icon, words = _NEW if _is_new(route) else _BADGES[route.state]
    badges = [f":{color}-badge[:material/{icon}: {t(words)}]"]
    if route.in_flight:
        badges.append(f":blue-badge[:material/edit_note: {t('engines.writing', count=route.in_flight)}]")
    if route.fallback:
        badges.append(f":gray-badge[{t('routes.fallback')}]")
    return badges


def _is_new(route: RouteStatus) -> bool:
    """In, but nobody has asked it for anything yet: whether it is well is not known."""
    return route.state == "in" and route.since_s is None and route.ttft_ms is None and not route.reason


def _state(route: RouteStatus) -> list[str]:
    """Why it is as it is, and since when."""
    if route.state in ("out", "misconfigured"):
        since = t("routes.since", time=_time(route.since_s or 0.0))
        return [since, _line(route.reason)]
    parts = []
    if route.since_s is not None and route.since_s < SLOW_START:
        parts.append(t("routes.back", time=_time(route.since_s)))
    if route.reason:
        parts.append(t("routes.last_failure", reason=_line(route.reason)))
    return parts


def _facts(route: RouteStatus) -> list[str]:
    facts = [] if _is_new(route) else [t("routes.answered", count=route.answered)]
    if route.ttft_ms is not None:
        facts.append(t("routes.first_token", ms=f"{route.ttft_ms:.0f}"))
    if route.weight != 1:
        facts.append(t("routes.weight", weight=f"{route.weight:g}"))
    if route.tier:
        facts.append(t("routes.tier", tier=route.tier))
    return facts


def _time(seconds: float) -> str:
    if seconds < 60:
        return t("routes.seconds", count=int(seconds))
    if seconds < 3600:
        return t("routes.minutes", count=int(seconds / 60))
    return t("routes.hours", count=int(seconds / 3600))


def _line(words: str) -> str:
    """What a server said, perhaps, as it stands and in one line."""
    return plain(" ".join(words.split()))
