"""Two answers side by side: as they grow, as they are kept, and the vote on them."""

from __future__ import annotations

from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.conversation.duel import SIDES, VOTES, Duel, Flaw, Problem, Side, Vote
from app.conversation.history import SavedMessage
from app.service import Service
from app.ui import ab_words, answers
from app.ui.ab_live import LiveDuel
from app.ui.faults import callback
from app.ui.i18n import gist, t
from app.ui.markup import plain, written

_BUTTONS: dict[Vote, tuple[str, str]] = {
    "a": ("ab.a_better", ":material/arrow_back:"),
    "b": ("ab.b_better", ":material/arrow_forward:"),
    "both_good": ("ab.both_good", ":material/thumb_up:"),
    "both_bad": ("ab.both_bad", ":material/thumb_down:"),
}
_FLAWS: dict[Flaw, str] = {"stopped": "ab.stopped", "not_own": "ab.not_own"}  # of a failure its problem tells


class Growing:
    """The places of two answers that have not ended, in the container at hand."""

    def __init__(self, service: Service, live: LiveDuel) -> None:
        self._service = service
        self._live = live
        self._places = []
        for letter, engine, column in zip(SIDES, live.engines, _columns("growing"), strict=True):
            with column:
                st.markdown(_title(letter, *([] if live.blind else [engine])))
                self._places.append((st.empty(), st.empty()))

    def draw(self) -> None:
        """As far as they have come."""
        for number, (step, text) in enumerate(self._places):
            step.caption(self._step(number))
            if said := self._live.sides[number].text:
                text.markdown(answers.growing(said) if self._live.sides[number].running else written(said))

    def _step(self, number: int) -> str:
        live = self._live.sides[number]
        if not live.running:
            return t("ab.not_answered") if live.errors else t("ab.answered")
        stage = self._live.stage(number)
        if stage == "after":
            return t("ab.after")
        if stage == "writing":
            return answers.step(live, self._service.warm, None)
        loading = None if self._live.blind else self._service.switch.progress  # it would name an engine
        return (
            answers.step(live, self._service.warm, loading)
            if loading
            else t("ab.loading", seconds=f"{live.seconds:.0f}")
        )


def draw(service: Service, number: int, message: SavedMessage, question: str) -> None:
    """Message ``number`` of the conversation, which two engines answered; ``question`` is what it answers."""
    duel = message.duel
    if duel is None:
        return
    for letter, side, column in zip(SIDES, duel.sides, _columns(str(number)), strict=True):
        with column:
            _side(duel, letter, side, f"{number}{letter}")
    asking = duel.votable and not duel.vote
    if asking:
        words = t("ab.which_blind") if duel.blind else t("ab.which")
    else:
        words = (":material/how_to_vote: " if duel.vote else "") + t(ab_words.outcome(duel))
    st.caption(" · ".join([*answers.searched(duel.chosen.answer, question), words]))
    if asking:
        _buttons(service, number, message)


def _columns(key: str) -> list[DeltaGenerator]:
    with st.container(key=f"duel-{key}"):
        return [
            column.container(border=True, key=f"side-{key}{letter}", height="stretch")
            for letter, column in zip(SIDES, st.columns(2), strict=True)
        ]


def _title(letter: str, *names: str) -> str:
    return " · ".join([f"**{letter.upper()}**", *(plain(name) for name in names if name)])


def _side(duel: Duel, letter: Literal["a", "b"], side: Side, key: str) -> None:
    answer = side.answer
    if duel.hidden:
        st.markdown(_title(letter))
    else:
        better = f" :green-badge[:material/check: {t('ab.better')}]" if duel.vote == letter else ""
        st.markdown(_title(letter, side.engine, answer.model if answer.engine == side.engine else "") + better)
    if side.problem is not None:
        _problem(side.problem)
    if answer.answer.strip() or side.problem is None:
        answers.said(key, answer)
    stopped = side.flaw == "stopped"
    if side.flaw in _FLAWS and (answer.answer.strip() or not stopped):  # else said already
        st.caption(f":material/info: {t(_FLAWS[side.flaw], engine=plain(side.engine))}")
    told = answers.ending(answer) if side.problem is None and not stopped else []
    if not duel.hidden:
        told += [*ab_words.pace(side, t), *answers.asked(answer)]
    if told:
        st.caption(" · ".join(told))


def _problem(problem: Problem) -> None:
    lines = [plain(line) for line in (gist(problem.code), problem.message, problem.hint) if line]
    st.warning("  \n".join([f"**{lines[0]}**", *lines[1:]]), icon=":material/error:")


def _buttons(service: Service, number: int, message: SavedMessage) -> None:
    with st.container(key=f"vote-{number}", horizontal=True, gap="small"):
        for vote in VOTES:
            words, icon = _BUTTONS[vote]
            st.button(t(words), key=f"vote-{number}-{vote}", icon=icon, on_click=_voted, args=(service, message, vote))


@callback
def _voted(service: Service, message: SavedMessage, vote: Vote) -> None:
    """Another tab may have been quicker: the first vote counts, and counts once."""
    if message.duel is not None and service.history.vote(message.id, vote):
        service.votes.add(message.duel, vote)
