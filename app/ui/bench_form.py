"""The form that begins a benchmark: engines beside each other, or one engine's settings, and what they are asked."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.benchmark.bounds import MOST_TOKENS
from app.benchmark.comparisons.request import MOST_REPEATS, CompareRequest, TuneRequest
from app.runs import now
from app.service import Service
from app.ui import bench_offers, bench_prompts, bench_runs
from app.ui.bench_offers import Offer
from app.ui.engine_states import STATES, Look
from app.ui.faults import PageError, callback
from app.ui.i18n import t

_PATIENCE = 1.0  # seconds that the page may be late rather than offer nothing
_COMPARE, _TUNE = "compare", "tune"
_READERS = (1, 2, 4, 8, 16, 32, 64)
_TURNS = (1, 5)
_USUAL = {_COMPARE: CompareRequest(()), _TUNE: TuneRequest("")}
_NONE = ""


def draw(service: Service) -> None:
    """The form; where no engine can be measured, why not and what to do."""
    look = STATES.known(service, _PATIENCE)
    if look is None:
        st.fragment(_wait, run_every=0.5)(service)
        return
    ready = bench_offers.engines(look)
    if not ready:
        st.info(t("bench.nothing_ready"), icon=":material/info:")
        st.page_link(st.session_state["pages"]["engines"], label=t("choice.engines"), icon=":material/swap_horiz:")
        return
    with st.container(border=True, key="bench-form"):
        words = {_COMPARE: t("bench.compare"), _TUNE: t("bench.tune")}
        kind = st.segmented_control(
            t("bench.kind"), list(words), default=_COMPARE, required=True, format_func=words.__getitem__,
            key="bench-kind", label_visibility="collapsed",
        )  # fmt: skip
        if kind == _COMPARE:
            _contestants(service, look, ready)
        else:
            _engine(service, look, ready)
        bench_prompts.draw(service)
        _load(kind)
        st.caption(t("bench.will_compare") if kind == _COMPARE else t("bench.will_tune"))
        st.button(
            t("bench.start"), type="primary", icon=":material/play_arrow:", key="bench-start",
            on_click=_start, args=(service,),
        )  # fmt: skip


def _wait(service: Service) -> None:
    if STATES.known(service) is not None:
        st.rerun()
    st.caption(t("choice.looking"))


def _contestants(service: Service, look: Look, ready: list[Offer]) -> None:
    labels = {offer.name: offer.label for offer in (*ready, *bench_offers.others(service, look))}
    st.multiselect(
        t("bench.engines"),
        list(labels),
        default=[offer.name for offer in ready],
        format_func=lambda name: labels.get(name, name),
        help=t("bench.engines_help"),
        placeholder=t("bench.choose"),
        key="bench-engines",
    )
    if len(labels) == 1:
        st.caption(t("bench.only_one", name=ready[0].engine))


def _engine(service: Service, look: Look, ready: list[Offer]) -> None:
    labels = {offer.name: offer.label for offer in (*ready, *bench_offers.others(service, look))}
    without = t("bench.no_draft")
    left, right = st.columns(2)
    with left:
        st.selectbox(
            t("bench.engine"), list(labels), format_func=lambda name: labels.get(name, name), key="bench-engine"
        )
    with right:
        st.selectbox(
            t("bench.draft"), [_NONE, *bench_offers.drafts(service)], format_func=lambda name: name or without,
            help=t("bench.draft_help"), key="bench-draft",
        )  # fmt: skip


def _load(kind: str) -> None:
    """How many ask at once, for how long, how often."""
    usual = _USUAL[kind]
    left, right = st.columns(2)
    with left:
        st.pills(
            t("bench.readers"), _READERS, selection_mode="multi", default=usual.readers,
            help=t("bench.readers_help"), key=f"bench-readers-{kind}",
        )  # fmt: skip
        st.number_input(t("bench.max_tokens"), 1, MOST_TOKENS, usual.max_tokens, key="bench-max-tokens")
    with right:
        st.pills(
            t("bench.turns"), _TURNS, selection_mode="multi", default=usual.turns,
            help=t("bench.turns_help"), key=f"bench-turns-{kind}",
        )  # fmt: skip
        st.number_input(
            t("bench.repeats"), 1, MOST_REPEATS, usual.repeats, help=t("bench.repeats_help"), key="bench-repeats"
        )


@callback
def _start(service: Service) -> None:
    state = st.session_state
    kind = state.get("bench-kind") or _COMPARE
    readers, turns = (tuple(sorted(state.get(f"bench-{name}-{kind}") or ())) for name in ("readers", "turns"))
    if not readers or not turns:
        raise PageError(t("bench.no_load"))
    load: dict[str, Any] = {
        "readers": readers, "turns": turns, "repeats": int(state["bench-repeats"]),
        "max_tokens": int(state["bench-max-tokens"]), "prompts": bench_prompts.chosen(), "id": now()[1],
    }  # fmt: skip
    request: CompareRequest | TuneRequest
    if kind == _COMPARE:
        engines = tuple(state["bench-engines"])
        if len(engines) < 2:
            raise PageError(t("bench.too_few"))
        request, title = CompareRequest(engines, **load), " · ".join(engines)
    else:
        request = TuneRequest(state["bench-engine"], state.get("bench-draft") or "", **load)
        title = t("bench.tuning", name=request.engine)
    request.check()
    bench_runs.started(service.benchmarks.start(title, request), request.id)
