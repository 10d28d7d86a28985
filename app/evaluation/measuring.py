"""Asks every question of a collection and notes what came."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from app.evaluation.documents import Documents
from app.evaluation.metrics import BUDGETS, Judge
from app.evaluation.questions import Question
from app.evaluation.report import Record, Seen
from app.knowledge.relevance import as_score, least
from app.schema import OnProgress, Passage, Progress, SearchResult
from app.text import language

if TYPE_CHECKING:
    from app.evaluation.metrics import TextOf

FETCHED = 20
"""Passages of a search: enough that short ones, too, fill the largest budget."""
_WARM = 3  # searches in each language before it counts
_SHOWN = 3
_SNIPPET = 400  # characters of a passage that are kept


def border(strictness: float) -> float:
    """The relevance, 0 to 1, from which on a question is not refused."""
    return round(as_score(least(strictness)), 4)


class Searcher(Protocol):
    """What is measured."""

    def search(self, question: str, k: int) -> SearchResult: ...


def measure(
    searcher: Searcher, questions: Sequence[Question], documents: Documents, on_progress: OnProgress
) -> tuple[Record, ...]:
    """A record for each question. Raises what the search raises, and what ``on_progress`` does to stop the work."""
    _warm_up(searcher, questions)
    records = []
    for number, question in enumerate(questions):
        on_progress(Progress("searching", number, len(questions), question.id))
        began = time.perf_counter()
        found = searcher.search(question.question, FETCHED)
        ms = (time.perf_counter() - began) * 1000
        records.append(_record(question, found, ms, documents.text))
    return tuple(records)


def _warm_up(searcher: Searcher, questions: Sequence[Question]) -> None:
    """Each language loads parts of its own, some of them late; that is no part of a search."""
    asked: Counter[str] = Counter()
    for question in questions:
        spoken = language(question.question)
        if asked[spoken] < _WARM:
            asked[spoken] += 1
            searcher.search(question.question, FETCHED)


def _record(question: Question, found: SearchResult, ms: float, text_of: TextOf) -> Record:
    judge = Judge(question, text_of)
    rank = judge.rank(found.passages)
    refused = not found.relevant
    fine = rank == 1 and not refused if question.answerable else refused
    return Record(
        question=question,
        rank=rank if question.answerable else None,
        refused=refused,
        relevance=round(as_score(found.relevance), 4),
        ms=round(ms, 2),
        recall={f"recall@{budget}": judge.recall(found.passages, budget) for budget in BUDGETS}
        if question.answerable
        else {},
        evidence_text=tuple(text_of(at.doc)[at.start : at.end].strip() for at in question.evidence),
        passages=() if fine else tuple(map(_seen, found.passages[:_SHOWN])),
    )


def _seen(passage: Passage) -> Seen:
    text = passage.text if len(passage.text) <= _SNIPPET else passage.text[:_SNIPPET] + "…"
    return Seen(passage.doc, passage.start, passage.end, passage.score, text)
