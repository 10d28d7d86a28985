"""A follow-up rewritten by a model: what to ask it, and whether to believe its reply."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from app.conversation.followup import fold_in
from app.conversation.prompts import rewrite_messages
from app.conversation.thinking import without_thinking
from app.conversation.turns import is_name, language_of, questions
from app.errors import one_line
from app.schema import Message
from app.text import language

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

logger = logging.getLogger(__name__)

_TURNS = 6
_TURN_LENGTH = 600
"""Characters of each turn that the model sees; the topic stands at the beginning."""

_PREAMBLE = re.compile(
    r"""(?:sure|certainly|of\ course|okay|ok|yes|no|sorry)[,.!:]|here(?:'s|\ is|\ are)\b
    |the\ (?:rewritten|rephrased|standalone|last)\ question\b
    |(?:(?:rewritten|rephrased|standalone|last)\ )?(?:question|query|answer|user|assistant|rewritten|standalone)\s*:
    |好的[，,。！!：]|当然[，,可。！!]|抱歉|以下是|(?:改写|重写)后|(?:独立|最后一个|改写的|完整的?)?(?:问题|回答|用户|助手)\s*[:：]""",
    re.IGNORECASE | re.VERBOSE,
)
_QUOTES = {'"': '"', "'": "'", "“": "”", "「": "」", "『": "』", "`": "`", "《": "》"}


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
    """The question in ``reply`` when it is a sane one, else ``question`` with ``history`` folded in by rule."""
    text = _unquoted(without_thinking(reply))
    if _sane(text, question, history):
        return text
    logger.info("the rewritten question was not usable; folded in by rule instead")
    return fold_in(question, history)


def by_rule(error: Exception, question: str, history: tuple[Message, ...]) -> str:
    """What takes the model's place when asking it failed: a rewrite helps, it never ends an answer."""
    logger.warning("rewriting the question failed, folded in by rule instead: %s", one_line(error))
    return fold_in(question, history)


def _unquoted(text: str) -> str:
    if len(text) > 2 and _QUOTES.get(text[0]) == text[-1] and text[-1] not in text[1:-1]:
        return text[1:-1].strip()
    return text


def _sane(text: str, question: str, history: tuple[Message, ...]) -> bool:
    if not text or "\n" in text or len(text) > 3 * len(question) + 200 or _PREAMBLE.match(text):
        return False
    if question.endswith(("?", "？")) and text.endswith((".", "。", "!", "！")):
        return False  # it answered instead
    spoken = {language(question), language_of(question, history)} if is_name(question) else {language(question)}
    return language(text) in spoken
