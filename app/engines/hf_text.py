"""From token ids to text that can be shown at once: whole characters, and never a part of a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_UNFINISHED = "\ufffd"  # what decoders give for bytes that are no whole character (yet)
_LONGEST = 48  # tokens; bytes that make no character by then never will


class Detokenizer:
    """Text token by token; the time for one does not grow with the text. ``decode`` is the tokenizer's."""

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._before: list[int] = []  # the tokens before the open ones: some decoders treat a text's start differently
        self._open: list[int] = []
        self._said = 0  # characters of the open tokens' text

    def add(self, token: int) -> str:
        """What ``token`` adds; empty while it only begins a character."""
        self._open.append(token)
        text = self._text()
        whole = text.rstrip(_UNFINISHED)
        new = whole[self._said :]
        self._said = max(self._said, len(whole))
        if (whole == text and new) or len(self._open) >= _LONGEST:
            new = new or text[self._said :]
            self._before, self._open, self._said = self._open, [], 0
        return new

    def _text(self) -> str:
        return self._decode(self._before + self._open)[len(self._decode(self._before)) :]


class StopStrings:
    """Cuts a text before the first of ``stops``, however it comes in pieces."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.met = False

    def add(self, text: str) -> str:
        """What of ``text``, and of what was held back before it, can be said now."""
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.met = True
            said, self._held = self._held[: min(found)], ""
            return said
        keep = max((_begun(self._held, stop) for stop in self._stops), default=0)
        said, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return said

    def rest(self) -> str:
        """What was held back, once nothing more comes."""
        rest, self._held = self._held, ""
        return rest


def _begun(text: str, stop: str) -> int:
    """How many characters at the end of ``text`` begin ``stop``."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
