"""What the votes on two engines' answers add up to, on the page that measures."""

from __future__ import annotations

import json
from collections.abc import Callable
from csv import writer
from html import escape
from io import StringIO

import streamlit as st

from app.benchmark.figures import Distribution
from app.service import Service
from app.ui.faults import callback
from app.ui.i18n import t
from app.ui.markup import plain
from app.votes import Pair, Standing, Votes

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula to a spreadsheet, and the names of models are others' words."""


def draw(service: Service) -> None:
    """The pairs, the files to take along, and how to remove the votes; without votes, how to come by some."""
    st.markdown(f"#### {t('ab.title')}")
    pairs = service.votes.pairs()
    if not pairs:
        st.caption(t("ab.none"))
        st.page_link(st.session_state["pages"]["chat"], label=t("page.chat"), icon=":material/chat:")
        return
    st.markdown(t("ab.text"))
    for number, pair in enumerate(pairs):
        with st.container(border=True, key=f"votes-{number}", gap="small"):
            _pair(pair)
    st.caption(t("ab.measured"))
    with st.container(horizontal=True, key="votes-files"):
        st.download_button(
            "CSV", lambda: _csv(service.votes), "votes.csv", "text/csv",
            on_click="ignore", icon=":material/download:", key="votes-csv",
        )  # fmt: skip
        st.download_button(
            "JSON", lambda: _json(service.votes), "votes.json", "application/json",
            on_click="ignore", icon=":material/download:", key="votes-json",
        )  # fmt: skip
        with st.popover(t("ab.clear"), icon=":material/delete:", type="tertiary", key="votes-clear"):
            st.markdown(t("ab.clear_text"))
            st.button(t("ab.clear_now"), key="votes-clear-now", on_click=_clear, args=(service,))


def sentence(pair: Pair) -> str:
    """The pair in plain words; foreign names in it are not escaped yet."""
    count = t("ab.count_one") if pair.n == 1 else t("ab.count", n=pair.n)
    if not pair.decided:
        return t("ab.undecided", count=count)
    low, high = pair.interval
    of = {
        "count": count,
        "decided": pair.decided,
        "wins": pair.first.wins,
        "range": f"{low * 100:.0f}–{high * 100:.0f}\u00a0%",
    }
    if pair.first.wins == pair.second.wins:
        return t("ab.even", **of)
    return t("ab.clear_lead" if pair.clear else "ab.lead", name=pair.first.name, **of)


def _pair(pair: Pair) -> None:
    badge = f":blue-badge[:material/visibility_off: {t('ab.blind')}]" if pair.blind else f":gray-badge[{t('ab.open')}]"
    st.markdown(f"**{plain(pair.first.name)}** – **{plain(pair.second.name)}** {badge}")
    if pair.decided:
        st.html(_bar(pair))
    st.markdown(plain(sentence(pair)))
    st.html(_table(pair))


def _bar(pair: Pair) -> str:
    """The leader's share of the decided votes, its interval over it, and a mark at one half."""
    low, high = pair.interval
    share = pair.share or 0.0
    ends = "".join(
        f"<span><b>{standing.wins}</b> {escape(standing.name)}</span>" for standing in (pair.first, pair.second)
    )
    return (
        f'<div class="votes-bar" role="img" aria-label="{escape(sentence(pair))}">'
        f'<div class="track"><i class="share" style="width:{share:.1%}"></i><i class="half"></i>'
        f'<i class="interval" style="left:{low:.1%};width:{high - low:.1%}"></i></div>'
        f'<div class="ends">{ends}</div></div>'
    )


def _table(pair: Pair) -> str:
    heads = "".join(
        f'<th class="number">{escape(t(key))}</th>' for key in ("ab.wins", "ab.first_in", "ab.in_time", "ab.rate")
    )
    rows = "".join(map(_row, (pair.first, pair.second)))
    both = t("ab.neither", good=pair.both_good, bad=pair.both_bad)
    return f"<table><tr><th>{escape(t('choice.engine'))}</th>{heads}</tr>{rows}</table><small>{escape(both)}</small>"


def _row(standing: Standing) -> str:
    cells = [
        str(standing.wins),
        _seconds(standing.first_ms),
        _seconds(standing.total_ms),
        _median(standing.tokens_per_second, "{:.2f}".format),
    ]
    columns = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    return f"<tr><td>{escape(standing.name)}</td>{columns}</tr>"


def _seconds(ms: Distribution) -> str:
    return _median(ms, lambda median: t("answer.seconds", seconds=f"{median / 1000:.2f}"))


def _median(of: Distribution, words: Callable[[float], str]) -> str:
    """With how many votes it is of: an engine that counts no tokens has fewer."""
    return "–" if of.median is None else f"{escape(words(of.median))} <small>(n {of.n})</small>"


def _csv(votes: Votes) -> str:
    """A row for each vote, the oldest first."""
    sheet = StringIO()
    lines = writer(sheet, lineterminator="\r\n")
    rows = [ballot.as_dict() for ballot in votes.ballots()]
    if rows:
        lines.writerow(rows[0])
    for row in rows:
        lines.writerow([f"'{cell}" if str(cell).startswith(_FORMULAS) else cell for cell in row.values()])
    return sheet.getvalue()


def _json(votes: Votes) -> str:
    told = {
        "pairs": [pair.as_dict() for pair in votes.pairs()],
        "votes": [ballot.as_dict() for ballot in votes.ballots()],
    }
    return json.dumps(told, ensure_ascii=False, indent=1)


@callback
def _clear(service: Service) -> None:
    service.votes.clear()
