"""How much room text takes where letters are equally wide: a Chinese character takes two columns."""

from __future__ import annotations

import unicodedata


def columns(text: str) -> int:
    """How many columns ``text`` takes. Marks that combine take none."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def shortened(text: str, most: int) -> str:
    """``text`` in ``most`` columns at most, its end left out where it is longer."""
    if columns(text) <= most:
        return text
    taken, kept = 0, []
    for char in text:
        taken += _columns(char)
        if taken > most - 1:
            break
        kept.append(char)
    return "".join(kept) + "…"


def left(text: str, wide: int) -> str:
    """``text`` with blanks after it, ``wide`` columns in all."""
    return text + " " * (wide - columns(text))


def right(text: str, wide: int) -> str:
    """``text`` with blanks before it, ``wide`` columns in all."""
    return " " * (wide - columns(text)) + text


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
