"""One answer on the page: its text, who wrote it, how it ended, and its sources."""

from __future__ import annotations

from itertools import groupby

import streamlit as st

from app.conversation.keeping import REMOVED
from app.conversation.prompts import answers_small_talk
from app.schema import ANSWERED, Answer, Citation, Progress, RouteTry
from app.service import Service
from app.ui import engine_jobs, sources
from app.ui.i18n import t
from app.ui.live import LiveAnswer
from app.ui.markup import plain, quoted, written

_CURSOR = " ▍"
_LONGEST = 120  # characters of an outcome: a server may have said much


class Growing:
    """The place of an answer that has not ended, in the container at hand."""

    def __init__(self, service: Service, live: LiveAnswer) -> None:
        self._service = service
        self._live = live
        self._step, self._text = st.empty(), st.empty()

    def draw(self) -> None:
        """As far as it has come."""
        self._step.caption(step(self._live, self._service.warm, self._service.switch.progress))
        if said := self._live.text:
            self._text.markdown(growing(said))


def draw(key: str, answer: Answer, question: str) -> None:
    """An answer to ``question``; no other on the page has its ``key``."""
    said(key, answer)
    st.caption(_footer(answer, question))


def said(key: str, answer: Answer) -> None:
    """Its text and its sources alone."""
    if answer.answer.strip():
        st.markdown(_text(answer))
    else:
        st.caption(t("answer.no_word"))
    if answer.citations:
        _sources(key, answer)


def step(live: LiveAnswer, warm: bool, loading: Progress | None) -> str:
    """What is being done, and for how long.

    ``warm`` when the search has nothing left to load; ``loading`` is the engine's model that comes into memory.
    """
    if place := live.place:
        return f"{t('step.in_line', place=place)} · {live.seconds:.0f} s"
    if live.text:
        key = "step.answering"
    elif loading is not None:
        return f":material/hourglass_top: {engine_jobs.stage(loading)} · {live.seconds:.0f} s"
    elif live.passages:
        key = "step.reading"
    elif live.question.documents:
        key = "step.searching" if warm else "step.loading"
    else:
        key = "step.thinking"
    searched = live.query != live.question.text
    detail = t("step.searched", query=plain(live.query)) if searched else ""
    return f"{t(key, passages=live.passages)} · {live.seconds:.0f} s {detail}".rstrip()


def growing(text: str) -> str:
    """An answer that has not ended."""
    return written(text) + _CURSOR


def _text(answer: Answer) -> str:
    """What a model wrote is Markdown; quotations and refusals are the documents' and our own words."""
    return quoted(answer.answer) if answer.engine in ("", "extractive") or answer.refused else written(answer.answer)


def _footer(answer: Answer, question: str) -> str:
    who = " · ".join(plain(name) for name in (answer.engine, answer.model) if name)
    seconds = t("answer.seconds", seconds=f"{answer.timings.total_ms / 1000:.1f}")
    return " · ".join(
        [who or t("answer.no_engine"), seconds, *ending(answer), *searched(answer, question), *asked(answer)]
    )


def ending(answer: Answer) -> list[str]:
    """How it ended, where that is not as usual."""
    told = [] if answer.complete else [f"**{t('answer.incomplete')}**"]
    if answer.refused and not answers_small_talk(answer.answer):
        told.append(f"**{t('answer.refused')}**")
    return told


def searched(answer: Answer, question: str) -> list[str]:
    """What was searched, where that is not ``question`` itself."""
    other = answer.query and answer.query != question
    return [t("answer.searched", query=plain(answer.query))] if other else []


def asked(answer: Answer) -> list[str]:
    """The servers that were asked in turn, where there was more than one."""
    routes = answer.routes
    return [t("answer.routes", tries=" → ".join(map(_try, routes)))] if len(routes) > 1 else []


def _try(tried: RouteTry) -> str:
    if tried.outcome == ANSWERED:
        return plain(tried.route)
    outcome = " ".join(tried.outcome.split())
    short = outcome if len(outcome) <= _LONGEST else outcome[:_LONGEST] + "…"
    return f"{plain(tried.route)} ({plain(short)})"


def _sources(key: str, answer: Answer) -> None:
    """A button for each number; words quoted in several places of one passage are one source."""
    with st.container(key=f"sources-{key}", horizontal=True, gap="small"):
        ordered = sorted(answer.citations, key=lambda citation: citation.n)
        for n, same in groupby(ordered, key=lambda citation: citation.n):
            citations = tuple(same)
            st.button(
                _label(n, citations[0]),
                key=f"cite-{key}-{n}",
                type="secondary",
                on_click=sources.open_one,
                args=(citations,),
            )


def _label(n: int, citation: Citation) -> str:
    where = f" · {t('source.page', page=citation.page)}" if citation.page else ""
    gone = f" · {t('source.removed')}" if citation.text in REMOVED.values() and not citation.supported else ""
    return f"**\\[{n}\\]** {plain(citation.doc)}{where}{gone}"
