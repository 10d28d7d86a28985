"""Doing as a comparison advises: the switch to the engine that it names, or the settings to set."""

from __future__ import annotations

import streamlit as st

from app.benchmark.comparisons.report import ComparisonReport, Contestant
from app.benchmark.reporting import telling
from app.engines.registry import MODEL_SETTING
from app.jobs import Job
from app.schema import EngineStatus
from app.service import Service
from app.ui import engine_jobs, progress
from app.ui.faults import callback
from app.ui.i18n import language, t
from app.ui.markup import plain
from app.ui.progress import Watched

_USED = "bench-used"  # the switch that was begun last in this session


def draw(service: Service, report: ComparisonReport) -> list[Watched[EngineStatus]]:
    """The advice and what to do; gives the switch while it goes on."""
    sentence, *settings = telling.advice(report, language())
    with st.container(border=True, key="bench-advice", gap="small"):
        st.markdown(f":material/lightbulb: **{plain(sentence)}**")
        if settings:
            st.caption(t("bench.set"))
            st.code("\n".join(settings), language=None, wrap_lines=True)
        best = next((one for one in report.contestants if one.label == report.advice.label), None)
        if report.kind == "tune" or best is None:
            return []
        st.button(
            t("bench.use", name=plain(best.label)), icon=":material/swap_horiz:", key="bench-use",
            on_click=_use, args=(service, best, report.advice.apply),
        )  # fmt: skip
        job: Job[EngineStatus] | None = st.session_state.get(_USED)
        return progress.draw([job] if job else [], engine_jobs.Ended(service, None), 1)


@callback
def _use(service: Service, best: Contestant, apply: dict[str, str]) -> None:
    """With the model that was measured, where it is not the one of the settings."""
    model = apply.get(MODEL_SETTING[best.engine].upper())
    st.session_state[_USED] = service.start_switch(best.engine, model)
