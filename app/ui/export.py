"""A conversation as a Markdown file: every question, every answer with who wrote it, and its sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from app.conversation.duel import SIDES, Side
from app.conversation.history import SavedMessage
from app.schema import Answer, Citation
from app.text import Language
from app.ui import ab_words
from app.ui.i18n import said

_LONGEST = 60  # characters of a file's name


def file_name(title: str) -> str:
    """What the file of the conversation with this title is called."""
    return (re.sub(r"[^\w -]+", "", title)[:_LONGEST].strip() or "conversation") + ".md"


def markdown(title: str, messages: Sequence[SavedMessage], of: Language) -> str:
    """All of it. Of two answers that wait for a blind vote it tells no more than the page does."""
    parts = [f"# {title}"]
    for message in messages:
        parts += _message(message, of)
    return "\n\n".join(filter(None, parts)) + "\n"


def _message(message: SavedMessage, of: Language) -> Iterator[str]:
    if message.answer is None:
        yield "---"
        yield "\n".join(f"> {line}".rstrip() for line in message.content.splitlines())
    elif message.duel is None:
        yield _line([_names([message.answer.engine, message.answer.model]), *_ending(message.answer, of)])
        yield from _said(message.answer, of)
    else:
        for letter, side in zip(SIDES, message.duel.sides, strict=True):
            told = [] if message.duel.hidden else _told(side, of)
            yield _line([f"**{letter.upper()}**", *told])
            if side.problem is not None:
                yield f"{side.problem.message} {side.problem.hint}".strip()
            yield from _said(side.answer, of)
        yield said(of, ab_words.outcome(message.duel))


def _told(side: Side, of: Language) -> list[str]:
    """Who wrote it, how fast, and how it ended."""
    names = _names([side.engine, side.answer.model if side.answer.engine == side.engine else ""])
    return [names, *ab_words.pace(side, partial(said, of)), *_ending(side.answer, of)]


def _ending(answer: Answer, of: Language) -> Iterator[str]:
    if not answer.complete:
        yield said(of, "answer.incomplete")


def _said(answer: Answer, of: Language) -> Iterator[str]:
    if answer.answer.strip():
        yield answer.answer.strip()
    sources = {citation.n: citation for citation in sorted(answer.citations, key=lambda citation: citation.n)}
    if sources:
        yield "\n".join(_source(source, of) for source in sources.values())


def _source(source: Citation, of: Language) -> str:
    page = f", {said(of, 'source.page', page=source.page)}" if source.page else ""
    return f"- [{source.n}] {_code(source.doc)}{page}"


def _names(names: Iterable[str]) -> str:
    return " · ".join(_code(name) for name in names if name)


def _code(text: str) -> str:
    """As it stands, whatever it holds."""
    return f"`{text.replace('`', '')}`"


def _line(parts: Iterable[str]) -> str:
    return " · ".join(part for part in parts if part)
