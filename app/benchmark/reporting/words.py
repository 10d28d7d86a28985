"""The words of a benchmark's report, in English and Chinese: :func:`say` and two tables beside this file."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.benchmark.comparisons.advice import WHY
from app.benchmark.comparisons.report import Advice
from app.sizes import figure, size
from app.text import Language


def say(of: Language, key: str, /, **values: object) -> str:
    """The words for ``key``. Raises KeyError for an unknown one."""
    found: str = tables(of)["words"][key]
    return found.format(**values)


def counted(of: Language, key: str, count: int) -> str:
    """``1 reader``, ``8 readers``: the words for ``key`` or, of one, for ``key_one``."""
    return say(of, f"{key}_one" if count == 1 else key, count=f"{count:,}")


def kind(of: Language, name: str) -> str:
    """What went wrong, by a sample's ``kind``; one without words stays as it is."""
    status = re.fullmatch(r"http_(\d{3})", name)
    words: dict[str, str] = tables(of)["kind"]
    return f"HTTP {status[1]}" if status else words.get(name, name)


def advice(of: Language, given: Advice) -> str:
    """The sentence; what it has no value for is a dash. Raises KeyError for an unknown reason."""
    values = given.values
    written: dict[str, object] = {"label": given.label, **dict.fromkeys(WHY[given.why], figure(None))}
    for name, value in values.items():
        written[name] = figure(value) if value is None or isinstance(value, float | int) else value
    for name in ("readers", "few"):
        if name in values:
            written[name] = counted(of, "readers", values[name])
    for name in ("bytes", "over_bytes"):
        if name in values:
            written[name] = size(values[name])
    told = values.get("low") is not None and values.get("high") is not None
    written["spread"] = say(of, "spread", low=figure(values["low"]), high=figure(values["high"])) if told else ""
    return say(of, f"why_{given.why}", **written)


@lru_cache(maxsize=2)
def tables(of: Language) -> dict[str, dict[str, Any]]:
    """``words``, and ``kind``: what went wrong."""
    return tomllib.loads(Path(__file__).with_suffix(f".{of}.toml").read_text(encoding="utf-8"))
