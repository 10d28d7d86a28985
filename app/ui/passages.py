"""Cited words in the text around them."""

from __future__ import annotations

from collections.abc import Sequence

AROUND = 6000
"""Code points shown before and after the cited words."""


def marked(text: str, spans: Sequence[tuple[int, int]], around: int = AROUND) -> list[tuple[str, bool]]:
    """The text about ``spans`` (start, end) cut into pieces; true for what is cited.

    What is cut off at either end becomes "…", at a line's end where one is near.
    """
    merged = _merged(text, spans)
    begin = _begin(text, max(0, (merged[0][0] if merged else 0) - around))
    end = min(len(text), (merged[-1][1] if merged else 0) + around)
    pieces: list[tuple[str, bool]] = [("…\n" if begin else "", False)]
    at = begin
    for start, stop in merged:
        pieces += [(text[at:start], False), (text[start:stop], True)]
        at = stop
    pieces += [(text[at:end], False), ("…" if end < len(text) else "", False)]
    return [(piece, cited) for piece, cited in pieces if piece]


def _begin(text: str, at: int) -> int:
    line = text.find("\n", at, at + 200) if at else -1
    return line + 1 if line >= 0 else at


def _merged(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted, within the text, and without overlaps."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted((max(0, start), min(end, len(text))) for start, end in spans):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
