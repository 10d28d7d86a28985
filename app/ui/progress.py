"""Background work while it goes on, and how it ended. The work itself belongs to the service, not to the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.jobs import Job
from app.ui.faults import show
from app.ui.i18n import t
from app.ui.markup import plain

T = TypeVar("T")
_EVERY = 0.3  # seconds between two looks at running work, and until a click is noticed
_LONGEST = 120  # characters of a title


class Bar(NamedTuple):
    """How far a job is: 0 to 1, None where nobody can tell; and the words for it."""

    share: float | None
    text: str


class Watched(NamedTuple, Generic[T]):
    """Running work, and the place of its progress."""

    job: Job[T]
    place: DeltaGenerator


def draw(jobs: Sequence[Job[T]], ended: Callable[[Job[T]], None], at_most: int) -> list[Watched[T]]:
    """Boxes for ``jobs`` that the reader has not hidden; ``ended`` draws how one ended, its error aside."""
    shown = [job for job in jobs if job.id not in dismissed()][:at_most]
    watched: list[Watched[T]] = []
    for job in shown:
        with st.container(border=True, key=f"job-{job.id}", gap="xsmall"):
            watched += _job(job, ended)
    for _ in range(at_most - len(shown)):
        st.empty()  # else what stood here before would stay as long as the run lasts
    return watched


def watch(
    watched: Sequence[Watched[T]], bar: Callable[[Job[T]], Bar], changed: Callable[[], bool] = lambda: False
) -> None:
    """Keeps the progress up to date until some of it ends or ``changed`` says so, which calls for another run.

    One run that lasts, not many short ones: Streamlit tidies up after each, and that would slow the work down.
    """
    if not watched:
        return
    while all(item.job.running for item in watched) and not changed():
        for job, place in watched:
            share, text = bar(job)
            if share is None:
                place.caption(text)
            else:
                place.progress(share, text=text)
        watched[-1].job.wait(_EVERY)
    st.rerun()


def dismissed() -> set[str]:
    """The jobs whose box the reader has hidden."""
    found: set[str] = st.session_state.setdefault("dismissed", set())
    return found


def dismiss(job: str) -> None:
    """Hide the box of a job."""
    dismissed().add(job)


def _job(job: Job[T], ended: Callable[[Job[T]], None]) -> list[Watched[T]]:
    running = job.running  # asked once: what is drawn as running is also watched
    with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
        st.markdown(f"**{plain(_short(job.title))}**", width="stretch")
        if running:
            _cancel_button(job)
        else:
            key = f"dismiss-{job.id}"
            icon = ":material/close:"
            st.button("", key=key, type="tertiary", icon=icon, help=t("job.dismiss"), on_click=dismiss, args=(job.id,))
    if running:
        return [Watched(job, st.empty())]
    with st.container():  # in the very place of the progress, as above
        if job.error is not None:
            show(job.error)
        ended(job)
    return []


def _cancel_button(job: Job[T]) -> None:
    """It may take the work a while to notice."""
    asked = job.id in st.session_state.setdefault("cancelling", set())
    st.button(
        t("job.cancelling") if asked else t("job.cancel"),
        key=f"cancel-{job.id}",
        type="tertiary",
        disabled=asked,
        on_click=_cancel,
        args=(job,),
    )


def _cancel(job: Job[T]) -> None:
    st.session_state["cancelling"].add(job.id)
    job.cancel()


def _short(title: str) -> str:
    return title if len(title) <= _LONGEST else title[:_LONGEST] + "…"
