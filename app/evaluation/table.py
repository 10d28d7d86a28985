"""A run, or two side by side, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from app.errors import one_line
from app.evaluation.comparison import Changed, Comparison, compare
from app.evaluation.report import METRICS, Measure, Run
from app.evaluation.words import made, outcome, p_value, say, verdict

_MISSES = 10
_MOVED = 10
_WIDTH = 100  # characters of a question or a passage


def table(run: Run, other: Run | None = None) -> str:
    """English, as everything on the command line is; ends with a line break."""
    lines = [*_head(run), "", *_measures(run, other), ""]
    if other is not None:
        lines += _compared(compare(run, other), other)
    else:
        lines += _misses(run)
    return "\n".join(lines).rstrip("\n") + "\n"


def _head(run: Run) -> Iterator[str]:
    yield f"{run.source}: {made(run, 'en')}"
    yield say("en", "counted", answerable=run.answerable, unanswerable=len(run.records) - run.answerable,
              documents=run.documents)  # fmt: skip


def _measures(run: Run, other: Run | None) -> Iterator[str]:
    comparison = compare(run, other) if other else None
    if other is not None:
        yield f"{'':<30}{'now':>8}{'compared':>10}{'difference':>12}{'chance':>10}"
    for name in METRICS:
        measure = run.metrics[name]
        if measure.value is None:
            continue
        line = f"{say('en', name):<30}{measure.value:>8.3f}"
        if comparison is None or other is None:
            yield f"{line}   {interval(measure)}".rstrip()
        else:
            yield f"{line}{_beside(name, other, comparison)}"
    if run.ms is not None:
        yield f"{say('en', 'ms'):<30}{run.ms:>8.1f}{f'{other.ms:>10.1f}' if other and other.ms is not None else ''}"


def _beside(name: str, other: Run, comparison: Comparison) -> str:
    value, found = other.metrics[name].value, comparison.differences.get(name)
    if value is None or found is None:
        return ""
    real = " *" if found.real else ""
    return f"{value:>10.3f}{found.difference:>+12.3f}{f'p {p_value(found.p)}':>10}{real}"


def interval(measure: Measure) -> str:
    """``0.871 to 0.942``, and of how many questions where it says something."""
    if measure.low is None or measure.high is None:
        return ""
    return f"{measure.low:.3f} to {measure.high:.3f}"


def _compared(comparison: Comparison, other: Run) -> Iterator[str]:
    changed = " ".join(f"{name}={value}" for name, value in other.settings.items() if value != "")
    yield f"compared: {changed}"
    yield from verdict(comparison, "en")
    for key, moved in (("won", comparison.won), ("lost", comparison.lost)):
        if moved:
            yield ""
            yield say("en", key, count=len(moved))
            yield from (_moved(item) for item in moved[:_MOVED])
            if len(moved) > _MOVED:
                yield f"  {say('en', 'more', count=len(moved) - _MOVED)}"


def _moved(item: Changed) -> str:
    return f"  {item.one or '–'} → {item.other or '–'}  {_short(item.question)}"


def _misses(run: Run) -> Iterator[str]:
    misses = run.misses()
    if not misses:
        yield say("en", "no_misses")
        return
    yield say("en", "misses", count=len(misses))
    for record in misses[:_MISSES]:
        yield f"  [{record.question.id}] {_short(record.question.question)}  ({outcome(record, 'en')})"
        for at, text in zip(record.question.evidence, record.evidence_text, strict=True):
            yield f"      wanted  {at.doc}: {_short(text)}"
        if not record.question.evidence and record.question.answerable:
            yield f"      wanted  {_short(', '.join(record.question.answers or record.question.docs))}"
        for passage in record.passages[:1]:
            yield f"      found   {passage.doc}: {_short(passage.text)}"
    if len(misses) > _MISSES:
        yield f"  {say('en', 'more', count=len(misses) - _MISSES)} --html FILE and --json have them all."


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
