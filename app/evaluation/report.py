"""What an evaluation found, as it is kept, printed and drawn.

Times are milliseconds; rates and recalls are 0 to 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from app.evaluation.metrics import BUDGETS, KS, wilson
from app.evaluation.questions import Kind, Place, Question

VERSION = 1
HITS = tuple(f"hit@{k}" for k in KS)
RECALLS = tuple(f"recall@{budget}" for budget in BUDGETS)
MRR = "mrr@10"
FALSE_REFUSALS = "refused_answerable"
RIGHT_REFUSALS = "refused_unanswerable"
METRICS = (*HITS, MRR, *RECALLS, FALSE_REFUSALS, RIGHT_REFUSALS)
"""In the order in which they are shown. All but FALSE_REFUSALS are the better the higher."""


@dataclass(frozen=True)
class Seen:
    """A passage that was found; ``text`` is its beginning."""

    doc: str
    start: int
    end: int
    score: float
    text: str


@dataclass(frozen=True)
class Record:
    """What came of one question. ``rank`` is that of the first hit, None past the tenth.

    ``evidence_text`` has the words of each piece of evidence; ``passages`` are the first ones found where the very
    first was no hit, or where an unanswerable question was not refused.
    """

    question: Question
    rank: int | None
    refused: bool
    relevance: float
    ms: float
    recall: dict[str, float]
    evidence_text: tuple[str, ...] = ()
    passages: tuple[Seen, ...] = ()

    @property
    def kind(self) -> Kind:
        """What it was judged by."""
        return self.question.kind

    def value(self, metric: str) -> float | None:
        """What it adds to the mean of ``metric``; None where it has no say in it."""
        if metric == RIGHT_REFUSALS:
            return None if self.question.answerable else float(self.refused)
        if not self.question.answerable:
            return None
        if metric == FALSE_REFUSALS:
            return float(self.refused)
        if metric == MRR:
            return 1 / self.rank if self.rank else 0.0
        if metric in RECALLS:
            return self.recall[metric]
        return float(self.rank is not None and self.rank <= int(metric.removeprefix("hit@")))

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        return {
            **self.question.as_dict(),
            "answerable": self.question.answerable,
            "kind": self.kind,
            "rank": self.rank,
            "refused": self.refused,
            "relevance": self.relevance,
            "ms": self.ms,
            "recall": self.recall,
            "evidence_text": list(self.evidence_text),
            "passages": [asdict(passage) for passage in self.passages],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Record:
        """The inverse of :meth:`as_dict`."""
        question = Question(
            data["id"],
            data["question"],
            tuple(Place(**at) for at in data.get("evidence", ())),
            tuple(data.get("answers", ())),
            tuple(data.get("docs", ())),
            data["answerable"],
        )
        return cls(
            question, data["rank"], data["refused"], data["relevance"], data["ms"], data["recall"],
            tuple(data["evidence_text"]), tuple(Seen(**passage) for passage in data["passages"]),
        )  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """A mean over ``n`` questions; None where there are none. ``low`` and ``high``: the 95 % interval of a rate."""

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Run:
    """One evaluation. ``at`` is ISO 8601 in UTC, ``source`` the folder or collection.

    ``made`` is ``file``, ``cloze`` or the name of the engine that wrote the questions; ``settings`` are those that
    search went by, their names in capitals, and ``border`` is the relevance below which they refuse.
    """

    id: str
    at: str
    name: str
    source: str
    documents: int
    made: str
    settings: dict[str, Any]
    border: float
    records: tuple[Record, ...]
    metrics: dict[str, Measure] = field(default_factory=dict)
    ms: float | None = None

    @property
    def answerable(self) -> int:
        """How many questions have an answer."""
        return sum(record.question.answerable for record in self.records)

    def misses(self) -> list[Record]:
        """Questions whose first passage was no hit, or that were refused or answered wrongly; the worst first."""
        wrong = [record for record in self.records if _went_wrong(record)]
        return sorted(wrong, key=lambda record: (record.rank is not None, -(record.rank or 0)))

    def questions(self) -> list[Question]:
        """What was asked."""
        return [record.question for record in self.records]

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        return {
            "version": VERSION, "id": self.id, "at": self.at, "name": self.name, "source": self.source,
            "documents": self.documents, "made": self.made, "settings": self.settings,
            "border": self.border,
            "questions": {
                "total": len(self.records), "answerable": self.answerable,
                "unanswerable": len(self.records) - self.answerable,
            },
            "metrics": {name: asdict(measure) for name, measure in self.metrics.items()},
            "ms": self.ms,
            "records": [record.as_dict() for record in self.records],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Run:
        """The inverse of :meth:`as_dict`."""
        return summed_up(
            cls(
                data["id"], data["at"], data["name"], data["source"], data["documents"], data["made"],
                data["settings"], data["border"], tuple(Record.from_dict(record) for record in data["records"]),
            )
        )  # fmt: skip


def _went_wrong(record: Record) -> bool:
    if not record.question.answerable:
        return not record.refused
    return record.rank != 1 or record.refused


def summed_up(run: Run) -> Run:
    """``run`` with the means over its records."""
    times = [record.ms for record in run.records]
    return replace(
        run,
        metrics={name: measured(run.records, name) for name in METRICS},
        ms=round(sum(times) / len(times), 2) if times else None,
    )


def measured(records: Iterable[Record], metric: str) -> Measure:
    """The mean of one metric."""
    values = [value for record in records if (value := record.value(metric)) is not None]
    if not values:
        return Measure(None, 0)
    mean = sum(values) / len(values)
    if metric == MRR or metric in RECALLS:
        return Measure(mean, len(values))
    return Measure(mean, len(values), *wilson(round(sum(values)), len(values)))


def in_both(one: Sequence[Record], other: Sequence[Record]) -> list[tuple[Record, Record]]:
    """The records of questions that were asked in both runs, in the order of the first."""
    theirs = {_asked(record): record for record in other}
    return [(record, theirs[_asked(record)]) for record in one if _asked(record) in theirs]


def _asked(record: Record) -> tuple[str, str]:
    return record.question.id, record.question.question
