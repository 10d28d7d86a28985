"""Hides what a model thinks aloud before it answers: ``<think>…</think>`` at the head of its text.

Only at the head: an answer may itself be about such tags, and must not lose what follows them.
"""

from __future__ import annotations

import re

_TAGS = ("think", "thinking")
_OPEN = re.compile(rf"<({'|'.join(_TAGS)})>", re.IGNORECASE)
_OPENERS = tuple(f"<{tag}>" for tag in _TAGS)


class ThinkFilter:
    """Takes a text piece by piece and gives its visible part, the same for every way of cutting the text.

    White space before the first visible character is dropped.
    """

    def __init__(self) -> None:
        self._held = ""
        self._close: re.Pattern[str] | None = None  # what ends the block that we are in
        self._visible = False

    def feed(self, piece: str) -> str:
        """What of the text so far has become visible with ``piece``."""
        if self._visible:
            return piece
        self._held += piece
        while not self._visible:
            if self._close is not None:
                end = self._close.search(self._held)
                if end is None:
                    self._held = self._held[-len("</thinking>") :]
                    return ""
                self._held, self._close = self._held[end.end() :], None
            self._held = self._held.lstrip()
            if opened := _OPEN.match(self._held):
                self._held = self._held[opened.end() :]
                self._close = re.compile(f"</{opened[1]}>", re.IGNORECASE)
            elif any(opener.startswith(self._held.lower()) for opener in _OPENERS):
                return ""  # nothing yet, or what may become a tag
            else:
                self._visible = True
        return self.finish()

    def finish(self) -> str:
        """What was held back because it might have been a tag; call once, at the end of the text."""
        rest, self._held = ("" if self._close else self._held), ""
        return rest


def without_thinking(text: str) -> str:
    """A whole text without the thinking at its head.

    Some chat templates open the block themselves, so that the text has its end alone: that goes as well.
    """
    hidden = ThinkFilter()
    visible = hidden.feed(text) + hidden.finish()
    return re.split(r"</think(?:ing)?>", visible, flags=re.IGNORECASE)[-1].strip()
