"""What is told of a report of any kind, in words: for a terminal, a page and whoever else shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from app.benchmark.comparisons.report import ComparisonReport
from app.benchmark.loading.report import LoadReport
from app.benchmark.notes import told
from app.benchmark.reporting import told_comparison, told_load, words
from app.benchmark.reporting.grid import Grid
from app.benchmark.reporting.runs import Report
from app.benchmark.reporting.words import counted, say
from app.sizes import size
from app.text import Language


def title(report: Report, of: Language) -> str:
    """``Load test: qwen3-4b · vllm_openai``."""
    return say(of, "of_contestant", label=say(of, report.kind), line=whom(report))


def whom(report: Report) -> str:
    """Who was measured, in a few words."""
    if report.kind == "tune" and isinstance(report, ComparisonReport) and report.contestants:
        return " · ".join(filter(None, (report.contestants[0].engine, report.contestants[0].model)))
    return report.title


def facts(report: Report, of: Language) -> list[str]:
    """When, how and where it was measured, in lines of plain text."""
    done = told_load.done(report, of) if isinstance(report, LoadReport) else told_comparison.done(report, of)
    return [" · ".join(filter(None, [moment(report), *done])), " · ".join(_where(report.environment, of))]


def moment(report: Report) -> str:
    """``2026-12-03 09:15 UTC``."""
    return f"{report.at.replace('T', ' ')[:16]} UTC"


def warnings(report: Report, of: Language) -> list[str]:
    """What to know before one reads the figures."""
    found = [say(of, "interrupted")] if report.interrupted else []
    return [*found, *(told_load.warnings(report, of) if isinstance(report, LoadReport) else [])]


def grids(report: Report, of: Language) -> list[Grid]:
    """The tables."""
    found = told_load.grids(report, of) if isinstance(report, LoadReport) else told_comparison.grids(report, of)
    return list(found)


def notes(report: Report, of: Language) -> list[str]:
    """What to know beside the figures."""
    if isinstance(report, LoadReport):
        return [told(of, line) for line in report.notes]
    return [*told_comparison.notes(report, of)]


def advice(report: Report, of: Language) -> list[str]:
    """Which contestant to use and why, and the settings that make it so; nothing of a run of load."""
    if isinstance(report, LoadReport):
        return []
    given = report.advice
    return [words.advice(of, given), *(f"{name}={value}" for name, value in given.apply.items())]


def config(report: Report) -> list[tuple[str, str]]:
    """How it was run, all of it, in the words of the JSON."""
    return [(name, _plain(value)) for name, value in report.config.items()]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _where(environment: dict[str, Any], of: Language) -> Iterator[str]:
    """Processor, memory, GPUs and versions, as far as they are known."""
    if processor := environment.get("processor"):
        yield processor
    if cores := environment.get("cores"):
        yield counted(of, "cores", cores)
    if memory := environment.get("memory"):
        yield say(of, "of_memory", size=size(memory))
    for gpu in environment.get("gpus") or ():
        yield f"{gpu.get('name')} {size(gpu['memory'])}" if gpu.get("memory") else str(gpu.get("name"))
    for name, version in (environment.get("versions") or {}).items():
        if version:
            yield f"{name} {version}"
