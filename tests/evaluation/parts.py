"""Records and runs made by hand."""

from __future__ import annotations

from app.evaluation.questions import Place, Question
from app.evaluation.report import Record, Run, Seen, summed_up

TEXTS = {
    "lamp.md": "The lamp burns rapeseed oil. It is seen from nineteen miles away.\n\nThe ferry leaves at noon.\n",
    "灯塔.md": "青屿灯塔由林海生主持修建。灯塔的光在二十海里之外也能看见。\n",
}


def record(
    number: int, rank: int | None = 1, *, answerable: bool = True, refused: bool = False, recall: float | None = None
) -> Record:
    """What came of one question about the lamp."""
    share = (1.0 if rank else 0.0) if recall is None else recall
    at = (Place("lamp.md", 4, 27),) if answerable else ()
    fine = refused if not answerable else rank == 1 and not refused
    return Record(
        question=Question(f"q{number}", f"What does lamp {number} burn?", at, answerable=answerable),
        rank=rank if answerable else None,
        refused=refused,
        relevance=0.2 if refused else 0.8,
        ms=10.0,
        recall=dict.fromkeys(("recall@1000", "recall@2000", "recall@4000"), share) if answerable else {},
        evidence_text=("lamp burns rapeseed oil",) if answerable else (),
        passages=() if fine else (Seen("灯塔.md", 0, 13, 0.4, "青屿灯塔由林海生主持修建。"),),
    )


def run(*records: Record, name: str = "20261128T004620294690-69d9", **settings: object) -> Run:
    """A run of them."""
    return summed_up(
        Run(name, "2026-11-28T00:46:20+00:00", "q.jsonl", "default", 2, "file", settings, 0.5, tuple(records))
    )
