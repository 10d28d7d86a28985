"""What search is judged by. Pure functions of a question, the passages found for it, and the documents' texts.

A piece of evidence counts without the white space around it.

- *hit*: one passage wholly contains one piece of the evidence. Where a question has answers alone: the passage's text
  contains one of them, case and white space aside; where it has documents alone: the passage is of one of them.
- *hit@k*: there is a hit among the first k passages. *MRR@10*: the mean of 1 / rank of the first hit, 0 past rank 10.
- *recall at B characters*: the share of the evidence's characters among the first B characters of the passages, in
  their order; the last one is cut, and what was there before costs again. It compares settings whose passages have
  different lengths. Without evidence: whether there is a hit within them, 1 or 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from app.evaluation.questions import Question
from app.text import trim

KS = (1, 3, 5, 10)
BUDGETS = (1000, 2000, 4000)
"""Characters of passages, as a model would be given them."""
DEEPEST = 10
"""The last rank that counts."""
_Z = 1.959964  # of a normal distribution: 95 % lie within so many deviations

Range = tuple[int, int]
TextOf = Callable[[str], str]


class Found(Protocol):
    """What of a passage counts here."""

    @property
    def doc(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def text(self) -> str: ...


class Judge:
    """Judges passages for one question."""

    def __init__(self, question: Question, text_of: TextOf) -> None:
        self._kind = question.kind
        self._gold = [(at.doc, *trim(text_of(at.doc), at.start, at.end)) for at in question.evidence]
        self._answers = [words for answer in question.answers if (words := _folded(answer))]
        self._docs = frozenset(question.docs)

    def rank(self, passages: Sequence[Found]) -> int | None:
        """Of the first hit, from 1; None where there is none among the first DEEPEST."""
        for number, passage in enumerate(passages[:DEEPEST], 1):
            if self._hits(passage.doc, passage.start, passage.end, passage.text):
                return number
        return None

    def recall(self, passages: Iterable[Found], budget: int) -> float:
        """0 to 1, within the first ``budget`` characters."""
        left = budget
        seen: dict[str, list[Range]] = {}
        hit = False
        for passage in passages:
            if left <= 0:
                break
            end = min(passage.end, passage.start + left)
            hit = hit or self._hits(passage.doc, passage.start, end, passage.text[:left])
            seen.setdefault(passage.doc, []).append((passage.start, end))
            left -= passage.end - passage.start
        return self._share(seen) if self._kind == "evidence" else float(hit)

    def _share(self, seen: dict[str, list[Range]]) -> float:
        wanted: dict[str, list[Range]] = {}
        for doc, start, end in self._gold:
            wanted.setdefault(doc, []).append((start, end))
        united = {doc: union(ranges) for doc, ranges in wanted.items()}
        total = sum(end - start for ranges in united.values() for start, end in ranges)
        found = sum(overlap(ranges, union(seen.get(doc, ()))) for doc, ranges in united.items())
        return found / total if total else 0.0

    def _hits(self, doc: str, start: int, end: int, text: str) -> bool:
        if self._kind == "evidence":
            return any(doc == name and start <= first and last <= end for name, first, last in self._gold)
        if self._kind == "answers":
            folded = _folded(text)
            return any(answer in folded for answer in self._answers)
        return doc in self._docs


def _folded(text: str) -> str:
    return "".join(text.casefold().split())


def union(ranges: Iterable[Range]) -> list[Range]:
    """The same characters as disjoint ranges, in order; empty ranges are left out."""
    united: list[Range] = []
    for start, end in sorted(ranges):
        if start >= end:
            continue
        if united and start <= united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], end)
        else:
            united.append((start, end))
    return united


def overlap(one: Sequence[Range], other: Sequence[Range]) -> int:
    """How many characters two lists of disjoint ranges, each in order, have in common."""
    common = mine = theirs = 0
    while mine < len(one) and theirs < len(other):
        common += max(0, min(one[mine][1], other[theirs][1]) - max(one[mine][0], other[theirs][0]))
        if one[mine][1] < other[theirs][1]:
            mine += 1
        else:
            theirs += 1
    return common


def wilson(successes: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a rate of ``successes`` in ``total``; 0 to 1 where nothing was tried."""
    if total == 0:
        return 0.0, 1.0
    rate, weight = successes / total, _Z * _Z / total
    middle = (rate + weight / 2) / (1 + weight)
    half = _Z * math.sqrt(rate * (1 - rate) / total + weight / (4 * total)) / (1 + weight)
    return max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half))
