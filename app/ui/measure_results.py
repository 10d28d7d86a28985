"""What an evaluation found: figures, charts, and the questions that went wrong; two of them side by side."""

from __future__ import annotations

import streamlit as st

from app.charts.frame import as_image
from app.evaluation.comparison import Comparison, compare
from app.evaluation.drawing import charts
from app.evaluation.html import facts, measures, miss, moved, settings
from app.evaluation.report import FALSE_REFUSALS, MRR, RIGHT_REFUSALS, Run
from app.evaluation.words import say, verdict
from app.ui.i18n import language
from app.ui.markup import plain

_SHOWN = ("hit@1", "hit@5", MRR, "recall@2000", FALSE_REFUSALS, RIGHT_REFUSALS)
_MISSES = 100


def draw(run: Run, other: Run | None) -> None:
    """All of it. Texts of documents and questions go in escaped."""
    of = language()
    comparison = compare(run, other) if other else None
    lines = [*facts(run, of), *([settings(other)] if other else [])]
    st.caption("  \n".join(map(plain, lines)))
    if comparison is not None:
        st.info("  \n".join(map(plain, verdict(comparison, of))), icon=":material/compare_arrows:")
    _figures(run, other, comparison)
    with st.container(key="measure-charts"):
        images = map(as_image, charts(run, other, of))
        st.html(f"<div>{''.join(f'<figure>{image}</figure>' for image in images)}</div>")  # st.html drops SVG
    with st.container(key="measure-table"):
        st.html(measures(run, other, of))
    if comparison is not None:
        with st.container(key="measure-moved"):
            st.html("".join(moved(comparison, of)))
    _misses(run)


def _figures(run: Run, other: Run | None, comparison: Comparison | None) -> None:
    of = language()
    with st.container(horizontal=True, key="measure-figures"):
        for name in _SHOWN:
            shown = run if other is None else other
            value = shown.metrics[name].value
            if value is None:
                continue
            found = comparison.differences.get(name) if comparison else None
            # Grey where it may be chance; fewer refusals of what could be answered are the better ones.
            colour = "off" if found is None or not found.real else "inverse" if name == FALSE_REFUSALS else "normal"
            st.metric(
                say(of, name),
                f"{value:.3f}",
                delta=f"{found.difference:+.3f}" if found and found.difference else None,
                delta_color=colour,  # type: ignore[arg-type]
                border=True,
            )


def _misses(run: Run) -> None:
    of = language()
    wrong = run.misses()
    if not wrong:
        st.caption(say(of, "no_misses"))
        return
    st.markdown(f"#### {say(of, 'misses', count=len(wrong))}")
    with st.container(key="measure-misses"):
        st.html("".join(miss(record, of) for record in wrong[:_MISSES]))
    if len(wrong) > _MISSES:
        st.caption(say(of, "more", count=len(wrong) - _MISSES))
