"""Where an answer goes on that broke off: what of the new text the reader has seen already."""

from __future__ import annotations


class Diverged(Exception):
    """The new text is another answer than the one that was begun."""


class Seam:
    """The new text goes on exactly where the old one stopped."""

    @property
    def passed(self) -> bool:
        """Whether everything from here on is new."""
        return True

    def feed(self, text: str) -> str:
        """What of ``text`` is new. Raises Diverged."""
        return text

    def end(self) -> None:
        """The new text is over. Raises Diverged where it is shorter than the old one."""


class SkipBlank(Seam):
    """A server may drop the white space at the end of what it is to continue, and then writes it again."""

    def __init__(self, blank: str) -> None:
        self._blank = blank

    @property
    def passed(self) -> bool:
        return not self._blank

    def feed(self, text: str) -> str:
        while text and self._blank and text[0] == self._blank[0]:
            text, self._blank = text[1:], self._blank[1:]
        if text:
            self._blank = ""
        return text


class SkipSaid(Seam):
    """The answer is written once more from its beginning, which has to be the same."""

    def __init__(self, said: str) -> None:
        self._left = said

    @property
    def passed(self) -> bool:
        return not self._left

    def feed(self, text: str) -> str:
        same = text[: len(self._left)]
        if not self._left.startswith(same):
            raise Diverged
        self._left = self._left[len(same) :]
        return text[len(same) :]

    def end(self) -> None:
        if self._left:
            raise Diverged
