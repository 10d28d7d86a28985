"""The chat: what was said, the answer as it grows, the question to come, and beside them an opened source."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.conversation.history import SavedMessage
from app.conversation.turns import check_question
from app.errors import UsageError
from app.service import Service
from app.ui import (
    ab_choice,
    ab_view,
    answers,
    choices,
    conversations,
    languages,
    opening,
    sources,
    state,
    style,
    welcome,
)
from app.ui.ab_live import LiveDuel
from app.ui.engine_states import STATES
from app.ui.faults import callback, described, guarded, show, show_notice
from app.ui.i18n import t
from app.ui.live import ANSWERS, Live, Question
from app.ui.markup import plain


def page(service: Service) -> None:
    """The page itself."""
    conversation = conversations.current()
    live = ANSWERS.of(conversation) if conversation else None
    growing = live is not None and live.running  # asked once: a run whose box is shut must be followed by another
    talk, side = _columns()
    if conversation is not None:
        _question(service, answering=growing)
    else:
        # Within the page instead of at its foot: a page with a foot scrolls to its end by itself.
        with talk, st.container(key="welcome"):
            welcome.greeting()
            _question(service, answering=False)
    STATES.known(service)  # begins to look at the engines, which the sidebar will want to know about
    opening.box_is_drawn()
    style.draw()
    with st.sidebar:
        conversations.new_button()
        choices.draw(service)
        conversations.draw(service)
        languages.draw()
    if side is not None:
        with side, guarded():
            sources.panel(service)
    with talk:
        show_notice()
        if conversation is None:
            welcome.offers(service, ask=_asker(service))
        else:
            _conversation(service, conversation, live, growing)


def _question(service: Service, *, answering: bool) -> None:
    st.chat_input(t("chat.placeholder"), key="question", disabled=answering, on_submit=_submitted, args=(service,))


def _columns() -> tuple[st.delta_generator.DeltaGenerator, st.delta_generator.DeltaGenerator | None]:
    if sources.opened() is None:
        return st.container(key="talk"), None
    left, right = st.columns([1, 1], gap="medium")
    return left.container(key="talk"), right


def _conversation(service: Service, conversation: str, live: Live | None, growing: bool) -> None:
    messages = _messages(service, conversation)
    if messages is None:
        return
    for number, message in enumerate(messages):
        _message(service, number, message, messages)
    if live is not None and growing:
        _stream(service, conversation, live)
    elif messages and messages[-1].role == "user":
        _unanswered(service, conversation, messages, live)
    elif live is not None and live.answered:
        _tell(live)


def _messages(service: Service, conversation: str) -> tuple[SavedMessage, ...] | None:
    try:
        return service.history.messages(conversation, service.quote)
    except UsageError as error:
        show(error)
        state.keep("c", None)
        return None


def _message(service: Service, number: int, message: SavedMessage, messages: tuple[SavedMessage, ...]) -> None:
    if message.answer is None:
        with st.chat_message("user"):
            st.markdown("  \n".join(plain(line) for line in message.content.splitlines()))
    else:
        with st.chat_message("assistant"):
            question = messages[number - 1].content if number else ""
            if message.duel is not None:
                ab_view.draw(service, number, message, question)
            else:
                answers.draw(str(number), message.answer, question)


def _stream(service: Service, conversation: str, live: Live) -> None:
    """Draws what is new ten times a second, which is also how soon a click on Stop is noticed."""
    with st.chat_message("assistant"):
        places = ab_view.Growing(service, live) if isinstance(live, LiveDuel) else answers.Growing(service, live)
        st.button(t("chat.stop"), key="stop", icon=":material/stop_circle:", on_click=_stop, args=(conversation,))
        for _ in live.ticks():
            places.draw()
    st.rerun()  # once more, as saved: with its sources


def _tell(live: Live | None) -> bool:
    """Shows what went wrong; whether anything did."""
    errors = live.errors if live is not None else ()
    for error in errors:
        show(described(error))
    return bool(errors)


def _unanswered(service: Service, conversation: str, messages: tuple[SavedMessage, ...], live: Live | None) -> None:
    """The last question has no answer: why, and a button to ask again."""
    if live is None or live.answered or not _tell(live):
        st.caption(t("chat.unanswered"))
    st.button(
        t("chat.again"),
        key="ask-again",
        icon=":material/refresh:",
        on_click=_again,
        args=(service, conversation, messages),
    )


@callback
def _stop(conversation: str) -> None:
    live = ANSWERS.of(conversation)
    if live is not None:
        live.stop()


@callback
def _submitted(service: Service) -> None:
    _ask(service, str(st.session_state["question"] or ""))


def _asker(service: Service) -> Callable[[str], None]:
    @callback
    def ask(question: str) -> None:
        _ask(service, question)

    return ask


def _ask(service: Service, question: str) -> None:
    text = check_question(question)
    conversation = conversations.current() or service.history.create()
    said = service.history.messages(conversation, service.quote)
    service.history.append(conversation, text)
    state.keep("c", conversation)
    _start(service, conversation, text, said)


@callback
def _again(service: Service, conversation: str, messages: tuple[SavedMessage, ...]) -> None:
    _start(service, conversation, messages[-1].content, messages[:-1])


def _start(service: Service, conversation: str, question: str, said: tuple[SavedMessage, ...]) -> None:
    collection = choices.collection()
    asked = Question(
        text=question,
        history=tuple(message.turn() for message in said),
        engine=choices.engine(),
        collection=collection,
        documents=collection is not None,
    )
    if engines := ab_choice.engines(service, asked.engine):
        blind = ab_choice.blind()
        ANSWERS.begin(conversation, lambda: LiveDuel(service, conversation, asked, engines, blind=blind))
    else:
        ANSWERS.start(service, conversation, asked)
