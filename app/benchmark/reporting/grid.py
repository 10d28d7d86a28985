"""A table of words, for a terminal and a page alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

NOTHING = "–"
"""Stands where there is no value."""


@dataclass(frozen=True)
class Grid:
    """``rows`` have as many cells as ``heads``; without heads each row is a name and what is said of it.

    ``text`` numbers the columns that hold words; the others hold figures. ``tones``: of each row ``better``,
    ``worse`` or nothing, which holds for its last cell.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: frozenset[int] = frozenset({0})
    tones: Sequence[str] = ()

    def tidy(self) -> Grid:
        """Without columns in which nothing is told."""
        told = [at for at in range(len(self.heads)) if any(row[at] not in ("", NOTHING) for row in self.rows)]
        return replace(
            self,
            heads=[self.heads[at] for at in told],
            rows=[[row[at] for at in told] for row in self.rows],
            text=frozenset(place for place, at in enumerate(told) if at in self.text),
        )
