"""A follow-up rewritten by a model: what to ask it, and whether to believe its reply."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from app.conversation.followup import asks, fold_in, points_back, stands_alone
from app.conversation.followup_words import topical
from app.conversation.prompts import rewrite_messages
from app.conversation.replies import candidates
from app.conversation.thinking import without_thinking
from app.conversation.turns import is_name, language_of, questions
from app.errors import one_line
from app.schema import Message
from app.text import language, terms

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

logger = logging.getLogger(__name__)

_TURNS = 6
_TURN_LENGTH = 600
"""Characters of each turn that the model sees; the topic stands at the beginning."""


def rewritten(question: str, history: tuple[Message, ...], llm: BaseChatModel | None) -> str:
    """``question`` with ``history`` folded in, by ``llm`` where it can write new sentences, else by rule.

    Raises what ``llm`` raises; :func:`by_rule` takes over then.
    """
    if llm is None or not _can_rewrite(llm, history):
        return fold_in(question, history)
    return accept(str(llm.invoke(_request(question, history)).text), question, history)


async def arewritten(question: str, history: tuple[Message, ...], llm: BaseChatModel) -> str:
    """:func:`rewritten` for an event loop."""
    if not _can_rewrite(llm, history):
        return fold_in(question, history)
    reply = await llm.ainvoke(_request(question, history))
    return accept(str(reply.text), question, history)


def _can_rewrite(llm: BaseChatModel, history: tuple[Message, ...]) -> bool:
    return getattr(llm, "_llm_type", "") != "extractive" and bool(questions(history, 1))


def _request(question: str, history: tuple[Message, ...]) -> list[BaseMessage]:
    recent = [Message(turn.role, turn.content[:_TURN_LENGTH]) for turn in history[-_TURNS:]]
    return rewrite_messages(question, recent, language_of(question, history))


def accept(reply: str, question: str, history: tuple[Message, ...]) -> str:
    """The question in ``reply`` when it is a sane one, else ``question`` with ``history`` folded in by rule.

    Never worse than the rule: a reply that adds nothing, drops what was asked or still points back is not taken.
    """
    for text in candidates(without_thinking(reply)):
        if _sane(text, question, history) and _gains(text, question, history):
            return text
    folded = fold_in(question, history)
    if folded != question.strip():
        logger.info("the rewritten question was not usable; folded in by rule instead")
    return folded


def by_rule(error: Exception, question: str, history: tuple[Message, ...]) -> str:
    """What takes the model's place when asking it failed: a rewrite helps, it never ends an answer."""
    logger.warning("rewriting the question failed, folded in by rule instead: %s", one_line(error))
    return fold_in(question, history)


def _sane(text: str, question: str, history: tuple[Message, ...]) -> bool:
    if not text or "\n" in text or len(text) > 3 * len(question) + 200:
        return False
    if _asks(question) and (not _asks(text) or text.endswith((".", "。", "!", "！"))):
        return False  # it answered instead
    spoken = {language(question), language_of(question, history)} if is_name(question) else {language(question)}
    return language(text) in spoken


def _asks(text: str) -> bool:
    return text.rstrip("\"'”」』 ").endswith(("?", "？")) or asks(text)


def _gains(text: str, question: str, history: tuple[Message, ...]) -> bool:
    """Whether ``text`` is nearer to what was meant: it keeps the words of ``question`` and brings some of the past."""
    wanted, said = set(terms(" ".join(topical(question)))), set(terms(text))
    if len(wanted) > 1 and 2 * len(wanted & said) < len(wanted):
        return False
    if stands_alone(question):
        return True
    if points_back(text) and not stands_alone(text):
        return False
    past = {word for turn in history[-_TURNS:] for word in terms(turn.content[:_TURN_LENGTH])}
    return bool((said - set(terms(question))) & past)
