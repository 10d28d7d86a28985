"""How an answer that broke off can go on, on another route or on the same: by its tokens, by its text, from scratch.

By tokens: the prompt's and the answer's own go to ``/v1/completions``, past the chat template, and with temperature 0
the text is that of an answer that was never interrupted. By text: what was said begins the last message
(``continue_final_message``); it is put into tokens anew, so the words after it may be others, but none is lost or
comes twice. From scratch: only what an answer with temperature 0 says again is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.engines.routing import requests
from app.engines.routing.exchange import Part
from app.engines.routing.live import LiveRoute
from app.engines.routing.requests import CHAT, COMPLETIONS, Question
from app.engines.routing.seams import Seam, SkipBlank, SkipSaid
from app.text import estimate_tokens


@dataclass
class Trail:
    """The tokens of an answer up to its last visible word. ``whole`` is false once a server left some out.

    ``chars``: of the text. ``sure``: the last (number of tokens, characters) at which no token was half a character.
    A part of one token with text ends so; of several tokens that come at once, as they do from a busy server, the last
    may be half a character, and vLLM that is to go on from half a character says the whole prompt first.
    """

    prompt: tuple[int, ...] | None = None
    ids: list[int] = field(default_factory=list)
    whole: bool = True
    chars: int = 0
    sure: tuple[int, int] = (0, 0)
    _unseen: list[int] = field(default_factory=list)

    def take(self, part: Part) -> None:
        """Follow one part."""
        if part.prompt_ids is not None and self.prompt is None:
            self.prompt = part.prompt_ids
        self._unseen += part.ids or ()
        if part.text:  # half a character has tokens, but no text yet
            self.whole = self.whole and part.ids is not None and bool(self._unseen)
            self.ids += self._unseen
            self._unseen = []
            self.chars += len(part.text)
            if part.ids is not None and len(part.ids) == 1:
                self.sure = len(self.ids), self.chars

    @property
    def usable(self) -> bool:
        """Whether an answer can go on from it."""
        return self.whole and bool(self.prompt) and self.sure[0] > 0


@dataclass
class Said:
    """What the reader has seen of an answer, and the tokens of it, where they are known.

    ``prompt_tokens`` and ``tokens`` count the prompt and the answer so far; None where nobody has told.
    """

    text: str = ""
    model: str = ""
    window: int | None = None
    trail: Trail = field(default_factory=Trail)
    prompt_tokens: int | None = None
    tokens: int | None = 0
    calls: bool = False

    def left(self, question: Question) -> int | None:
        """How many tokens the rest may have. Where nobody counted, by the text."""
        limit = question.max_tokens
        if limit is None:
            return None
        return limit - (estimate_tokens(self.text) if self.tokens is None else self.tokens)


@dataclass
class Attempt:
    """One request for the answer or its rest: what is sent where, and how its text joins what was said before.

    ``before``: tokens of the answer that are in its prompt, and ``known``: those of them that are in the trail.
    """

    path: str
    body: Mapping[str, Any]
    seam: Seam = field(default_factory=Seam)
    trail: Trail = field(default_factory=Trail)
    before: int | None = 0
    known: int = 0
    how: str = ""

    @property
    def tokens(self) -> int | None:
        """Tokens of the answer so far; None where they were not counted."""
        return None if self.before is None or not self.trail.whole else self.before + len(self.trail.ids) - self.known


def first(question: Question, live: LiveRoute) -> Attempt:
    """The question itself."""
    return Attempt(CHAT, requests.asked(question, live.model, ids=live.takes_ids))


def may_continue(question: Question, said: Said, live: LiveRoute) -> bool:
    """Whether ``live`` could go on: only the same model can, and of the same context, as far as that is known."""
    if question.in_one_piece or said.calls or live.model != said.model:
        return False
    if said.window and live.window and said.window != live.window:
        return False
    return by_tokens(question, said, live) or live.resumes != "no" or question.certain


def continuation(question: Question, said: Said, live: LiveRoute) -> Attempt | None:
    """How ``live`` goes on; None where it cannot."""
    left = said.left(question)
    left = None if left is None else max(left, 1)  # where nobody counted, it is a guess
    if not may_continue(question, said, live):
        return None
    if by_tokens(question, said, live):
        count, chars = said.trail.sure
        again, tail = len(said.trail.ids) - count, said.text[chars:]
        trail = replace(said.trail, ids=said.trail.ids[:count], chars=chars, _unseen=[])
        tokens = (*(trail.prompt or ()), *trail.ids)
        body = requests.from_tokens(question, live.model, tokens, None if left is None else left + again)
        before = None if said.tokens is None else said.tokens - again
        return Attempt(COMPLETIONS, body, SkipSaid(tail) if tail else Seam(), trail, before, count, "tokens")
    sent = said.text.rstrip()
    if live.resumes == "text" and sent:
        body = requests.from_text(question, live.model, sent, left, ids=live.takes_ids)
        return Attempt(CHAT, body, SkipBlank(said.text[len(sent) :]), Trail(), said.tokens, how="text")
    if not question.certain:
        return None
    return replace(first(question, live), seam=SkipSaid(said.text), how="from scratch")


def by_tokens(question: Question, said: Said, live: LiveRoute) -> bool:
    """Whether it can go on from the tokens.

    With stop strings it cannot: servers hold back text that may begin one, and its tokens come before it. With tools
    it cannot either: a call would come as plain text.
    """
    plain = not question.options.get("stop") and not question.options.get("tools")
    exact = question.certain or len(said.text) <= said.trail.sure[1]  # else what is said again may be said otherwise
    return plain and exact and said.trail.usable and live.takes_tokens
