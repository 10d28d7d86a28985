"""The charts of a run, or of two over each other."""

from __future__ import annotations

from app.evaluation.charts import Series, histogram, lines
from app.evaluation.metrics import BUDGETS, DEEPEST, KS, wilson
from app.evaluation.report import Run
from app.evaluation.words import say
from app.text import Language


def charts(run: Run, other: Run | None, of: Language) -> list[str]:
    """Found among the first k, recall by context, and relevance; as SVG. Those with nothing to show are left out."""
    runs = [run] if other is None else [run, other]
    drawn = []
    if run.answerable:
        drawn.append(
            lines(say(of, "hits_chart"), say(of, "passages_axis"), [_hits(item, len(runs) == 1) for item in runs], KS)
        )
        drawn.append(
            lines(say(of, "recall_chart"), say(of, "characters_axis"), [_recalls(item) for item in runs], (0, *BUDGETS))
        )
    drawn.append(_relevance(run, of))
    return drawn


def title(run: Run) -> str:
    """What tells a run from another: its settings and its time."""
    return f"{run.at[5:16].replace('T', ' ')} · {' '.join(f'{value}' for value in run.settings.values() if value)}"


def _hits(run: Run, band: bool) -> Series:
    ranks = [record.rank for record in run.records if record.question.answerable]
    found = [sum(rank is not None and rank <= k for rank in ranks) for k in range(1, DEEPEST + 1)]
    points = [(float(k), count / len(ranks)) for k, count in enumerate(found, 1)] if ranks else []
    return Series(title(run), points, [wilson(count, len(ranks)) for count in found] if band else ())


def _recalls(run: Run) -> Series:
    values = [run.metrics[f"recall@{budget}"].value or 0.0 for budget in BUDGETS]
    return Series(title(run), [(0.0, 0.0), *((float(at), value) for at, value in zip(BUDGETS, values, strict=True))])


def _relevance(run: Run, of: Language) -> str:
    groups = [
        (say(of, name), [record.relevance for record in run.records if record.question.answerable is answerable])
        for name, answerable in (("answerable", True), ("unanswerable", False))
    ]
    border = say(of, "border"), run.border
    return histogram(say(of, "relevance_chart"), say(of, "relevance_axis"), groups, border)
