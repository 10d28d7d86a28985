"""The charts of a run, or of two over each other."""

from __future__ import annotations

from app.charts.axis import marked, rates
from app.charts.lines import Series, histogram, lines
from app.evaluation.metrics import BUDGETS, DEEPEST, KS, wilson
from app.evaluation.report import Run
from app.evaluation.words import say
from app.text import Language


def charts(run: Run, other: Run | None, of: Language) -> list[str]:
    """Found among the first k, recall by context, and relevance; as SVG. Those with nothing to show are left out."""
    named = [("", run)] if other is None else [*zip(titles(run, other), (run, other), strict=True)]
    drawn = []
    if run.answerable:
        drawn.append(
            lines(
                say(of, "hits_chart"),
                marked(say(of, "passages_axis"), KS),
                rates(),
                [_hits(item, name) for name, item in named],
            )
        )
        drawn.append(
            lines(
                say(of, "recall_chart"),
                marked(say(of, "characters_axis"), (0, *BUDGETS)),
                rates(),
                [_recalls(item, name) for name, item in named],
            )
        )
    drawn.append(_relevance(run, of))
    return drawn


def titles(run: Run, other: Run) -> tuple[str, str]:
    """What tells two runs apart: the settings that differ, else their times."""
    names = [name for name in run.settings | other.settings if run.settings.get(name) != other.settings.get(name)]
    if not names:
        return run.at.replace("T", " ")[:19], other.at.replace("T", " ")[:19]
    one, two = (" ".join(f"{name}={item.settings.get(name, '')}" for name in names) for item in (run, other))
    return one, two


def _hits(run: Run, name: str) -> Series:
    """With its interval where it stands alone: two would cover each other."""
    ranks = [record.rank for record in run.records if record.question.answerable]
    found = [sum(rank is not None and rank <= k for rank in ranks) for k in range(1, DEEPEST + 1)]
    points = [(float(k), count / len(ranks)) for k, count in enumerate(found, 1)] if ranks else []
    return Series(name, points, () if name else [wilson(count, len(ranks)) for count in found])


def _recalls(run: Run, name: str) -> Series:
    values = [run.metrics[f"recall@{budget}"].value or 0.0 for budget in BUDGETS]
    return Series(name, [(0.0, 0.0), *((float(at), value) for at, value in zip(BUDGETS, values, strict=True))])


def _relevance(run: Run, of: Language) -> str:
    groups = [
        (say(of, name), [record.relevance for record in run.records if record.question.answerable is answerable])
        for name, answerable in (("answerable", True), ("unanswerable", False))
    ]
    border = say(of, "border"), run.border
    return histogram(say(of, "relevance_chart"), say(of, "relevance_axis"), groups, border)
