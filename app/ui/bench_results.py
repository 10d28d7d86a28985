"""What a benchmark found: warnings, advice, figures, charts, tables and notes."""

from __future__ import annotations

from html import escape

import streamlit as st

from app.benchmark.comparisons.report import ComparisonReport
from app.benchmark.loading.report import LoadReport
from app.benchmark.reporting import telling, told_load
from app.benchmark.reporting.drawing import charts
from app.benchmark.reporting.html import table
from app.benchmark.reporting.runs import Report
from app.benchmark.reporting.words import say
from app.charts.frame import as_image
from app.schema import EngineStatus
from app.service import Service
from app.ui import bench_use
from app.ui.i18n import language
from app.ui.markup import plain
from app.ui.progress import Watched


def draw(service: Service, report: Report) -> list[Watched[EngineStatus]]:
    """All of it. What others wrote goes in escaped. Gives the switch to the advised engine while it goes on."""
    of = language()
    st.caption("  \n".join(map(plain, telling.facts(report, of))))
    for warning in telling.warnings(report, of):
        st.warning(plain(warning), icon=":material/warning:")
    watched = bench_use.draw(service, report) if isinstance(report, ComparisonReport) else []
    if isinstance(report, LoadReport):
        with st.container(horizontal=True, key="bench-figures"):
            for name, value in told_load.tiles(report, of):
                st.metric(name, value, border=True)
    images("bench-charts", charts(report, of))
    with st.container(key="bench-tables"):
        st.html("".join(map(table, telling.grids(report, of))))
    if notes := telling.notes(report, of):
        st.markdown(f"#### {say(of, 'notes')}")
        st.markdown("\n".join(f"- {plain(note)}" for note in notes))
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in telling.config(report)
    )
    st.html(f"<details><summary>{escape(say(of, 'config'))}</summary><table>{rows}</table></details>")
    return watched


def images(key: str, drawn: list[str]) -> None:
    """Charts side by side; ``st.html`` drops SVG, so they are images."""
    with st.container(key=key):
        st.html(f"<div>{''.join(f'<figure>{as_image(svg)}</figure>' for svg in drawn)}</div>")
