"""``--apply``: what a comparison advises is written into the settings file, and the live engine is changed."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from app.cli.common import run
from app.config import get_settings
from app.owner import announced_server

if TYPE_CHECKING:
    from app.benchmark.comparisons.report import Advice, ComparisonReport


def apply(report: ComparisonReport) -> None:
    """Raises ConfigError where the file cannot be written, EngineError where the engine cannot answer."""
    advice = report.advice
    if not advice.apply:
        _say("There is nothing to set.")
        return
    for name, value in advice.apply.items():
        _write(name, json.loads(value) if name == "VLLM_CONFIG" else value)
    if announced_server(get_settings().data_dir) is None:
        return
    if report.kind == "compare":
        _switch(advice)
    else:
        _say("The server that runs has read its settings already: restart it.")


def _write(name: str, value: Any) -> None:
    from app.config_write import set_value

    written = set_value(name, value)
    _say(f"{written.path} says now: {name}: {json.dumps(value, ensure_ascii=False)}")
    if written.before not in (None, str(value)):
        _say(f"Until now it said {written.before}.")
    if written.overridden_by:
        _say(f"The environment variable {written.overridden_by} wins over the file: unset it, or change it.")


def _switch(advice: Advice) -> None:
    model = next((value for name, value in advice.apply.items() if name != "LLM_ENGINE"), None)
    status = run("switch", engine=advice.apply["LLM_ENGINE"], model=model)
    _say(f"{status['name']} answers now: {status['detail']}")


def _say(line: str) -> None:
    sys.stderr.write(f"hotswap: {line}\n")
