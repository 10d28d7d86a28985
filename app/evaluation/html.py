"""A run, or two side by side, as one HTML page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from app.evaluation.comparison import Changed, Comparison, compare
from app.evaluation.drawing import charts, titles
from app.evaluation.report import METRICS, Record, Run
from app.evaluation.words import made, outcome, p_value, say, verdict
from app.html_page import document
from app.text import Language, language

_MISSES = 200
_MOVED = 100


def spoken(run: Run) -> Language:
    """The language of most questions."""
    counted = Counter(language(record.question.question) for record in run.records)
    return "zh" if counted["zh"] > counted["en"] else "en"


def page(run: Run, other: Run | None, of: Language) -> str:
    """The whole page in one language. Everything that comes from documents and questions is escaped."""
    comparison = compare(run, other) if other else None
    figures = "".join(f"<figure>{svg}</figure>" for svg in charts(run, other, of))
    body = [
        f"<h1>{_say(of, 'title')}</h1>",
        *(f'<p class="facts">{escape(line)}</p>' for line in facts(run, of)),
        *([f'<p class="facts">{escape(settings(other))}</p>'] if other else []),
        *([f"<p>{escape(' '.join(verdict(comparison, of)))}</p>"] if comparison else []),
        f'<div class="charts">{figures}</div>',
        f'<div class="scroll">{measures(run, other, of)}</div>',
        *(moved(comparison, of) if comparison else []),
        _misses(run, of),
    ]
    return document(say(of, "title"), body, of)


def _say(of: Language, key: str, **values: object) -> str:
    return escape(say(of, key, **values))


def facts(run: Run, of: Language) -> list[str]:
    """What was measured, in lines of plain text."""
    counts = say(
        of, "counted", answerable=run.answerable, unanswerable=len(run.records) - run.answerable,
        documents=run.documents,
    )  # fmt: skip
    return [f"{run.source} · {made(run, of)} · {run.at.replace('T', ' ')}", counts, settings(run)]


def settings(run: Run) -> str:
    """``STRICTNESS=0.5 · …``, those that are empty left out."""
    return " · ".join(f"{name}={value}" for name, value in run.settings.items() if value != "")


def measures(run: Run, other: Run | None, of: Language) -> str:
    """The table of metrics."""
    comparison = compare(run, other) if other else None
    heads = [say(of, "value"), say(of, "interval")]
    if other is not None:
        heads = [*titles(run, other), say(of, "difference"), say(of, "chance")]
    cells = "".join(f'<th class="number">{escape(head)}</th>' for head in heads)
    rows = [f"<tr><th>{_say(of, 'metric')}</th>{cells}</tr>"]
    for name in METRICS:
        measure = run.metrics[name]
        if measure.value is None:
            continue
        values = [f"{measure.value:.3f}"]
        if comparison is None or other is None:
            values.append(
                "" if measure.low is None or measure.high is None else f"{measure.low:.3f} – {measure.high:.3f}"
            )
            rows.append(_row(say(of, name), values))
            continue
        found, theirs = comparison.differences.get(name), other.metrics[name].value
        values.append("" if theirs is None else f"{theirs:.3f}")
        values += [f"{found.difference:+.3f}", f"p {p_value(found.p)}"] if found else ["", ""]
        better = comparison.better(name)
        rows.append(_row(say(of, name), values, "" if better is None else "better" if better else "worse"))
    if run.ms is not None:
        times = [f"{run.ms:.1f}", *([f"{other.ms:.1f}"] if other and other.ms is not None else []), "", ""]
        rows.append(_row(say(of, "ms"), times[: len(heads)]))
    return f"<table>{''.join(rows)}</table>"


def _row(name: str, values: Sequence[str], kind: str = "") -> str:
    cells = "".join(f'<td class="number {kind}">{escape(value)}</td>' for value in values)
    return f"<tr><td>{escape(name)}</td>{cells}</tr>"


def moved(comparison: Comparison, of: Language) -> Iterable[str]:
    """The questions whose first hit moved."""
    yield f'<p class="facts">{_say(of, "common", count=comparison.common)}</p>'
    for key, changed in (("won", comparison.won), ("lost", comparison.lost)):
        if changed:
            rows = "".join(map(_moved, changed[:_MOVED]))
            more = f"<p>{_say(of, 'more', count=len(changed) - _MOVED)}</p>" if len(changed) > _MOVED else ""
            head = _say(of, key, count=len(changed))
            yield f"<details open><summary>{head}</summary><table>{rows}</table>{more}</details>"


def _moved(item: Changed) -> str:
    return f'<tr><td>{escape(item.question)}</td><td class="number">{item.one or "–"} → {item.other or "–"}</td></tr>'


def _misses(run: Run, of: Language) -> str:
    misses = run.misses()
    if not misses:
        return f"<p>{_say(of, 'no_misses')}</p>"
    shown = "".join(miss(record, of) for record in misses[:_MISSES])
    more = f"<p>{_say(of, 'more', count=len(misses) - _MISSES)}</p>" if len(misses) > _MISSES else ""
    return f"<h2>{_say(of, 'misses', count=len(misses))}</h2>{shown}{more}"


def miss(record: Record, of: Language) -> str:
    """One question with what answers it beside what was found."""
    wanted = [_quote(text, at.doc) for at, text in zip(record.question.evidence, record.evidence_text, strict=True)]
    if not wanted:
        wanted = [_quote(words, "") for words in record.question.answers or record.question.docs]
    found = [_quote(passage.text, f"{passage.doc} · {passage.score:.2f}") for passage in record.passages]
    sides = f"<div><h3>{_say(of, 'evidence')}</h3>{''.join(wanted)}</div>" if record.question.answerable else ""
    nothing = f"<p>{_say(of, 'nothing')}</p>"
    return (
        f'<details><summary>{escape(record.question.question)}<span class="tag">{escape(outcome(record, of))}</span>'
        f'</summary><div class="sides">{sides}<div><h3>{_say(of, "retrieved")}</h3>{"".join(found) or nothing}</div>'
        "</div></details>"
    )


def _quote(text: str, source: str) -> str:
    cite = f"<cite>{escape(source)}</cite>" if source else ""
    return f"<blockquote>{escape(text)}{cite}</blockquote>"
