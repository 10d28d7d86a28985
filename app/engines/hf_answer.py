"""One answer that transformers is writing: its tokens so far, when it ends, and its reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.engines.feed import Feed
from app.engines.hf_text import Detokenizer, StopStrings
from app.engines.local_chat import Piece, Sampling


@dataclass(frozen=True)
class Vocabulary:
    """How token ids become text, and which of them end an answer."""

    decode: Callable[[list[int]], str]
    ends: frozenset[int]


class Answer:
    """Written by one thread, read through ``feed`` by another. ``ids`` are the tokens of the prompt and the answer."""

    def __init__(self, prompt: list[int], room: int, sampling: Sampling, vocabulary: Vocabulary) -> None:
        self.ids = list(prompt)
        self.room = room
        self.sampling = sampling
        self.feed: Feed[Piece] = Feed(self._end)
        self.ended = False
        self._prompt = len(prompt)
        self._ends = frozenset[int]() if sampling.ignore_eos else vocabulary.ends
        self._text = Detokenizer(vocabulary.decode)
        self._stops = StopStrings(sampling.stop)

    @property
    def left(self) -> int:
        """How many tokens it may still have."""
        return self.room - (len(self.ids) - self._prompt)

    def take(self, token: int) -> None:
        """The next token."""
        self.ids.append(token)
        told = (token,) if self.sampling.return_token_ids else ()
        if token in self._ends:
            self._last(self._stops.rest(), "stop", told)
            return
        text = self._stops.add(self._text.add(token))
        if self._stops.met:
            self._last(text, "stop", told)
        elif not self.left:
            self._last(text + self._stops.rest(), "length", told)
        elif text or told:
            self.feed.put(Piece(text, ids=told))

    def fail(self, error: Exception) -> None:
        """It ends here, and its reader gets ``error``."""
        self._end()
        self.feed.end(error)

    def _last(self, text: str, reason: str, told: tuple[int, ...]) -> None:
        self._end()
        self.feed.put(Piece(text, reason, self._prompt, len(self.ids) - self._prompt, told))
        self.feed.end()

    def _end(self) -> None:
        """Also when the reader leaves, and then from the reader's thread."""
        self.ended = True
