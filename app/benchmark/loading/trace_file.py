"""Recorded traffic: when each prompt came, and how long it and its answer were."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from io import StringIO
from typing import Any

from app.benchmark import prompt_file, synthetic
from app.benchmark.prompts import Prompt
from app.errors import BenchmarkError

_EXAMPLE = (
    'Lines are JSON with "at" (seconds) or "timestamp" (milliseconds), and "prompt", "messages" or "input_length" and'
    ' "output_length"; or CSV with Timestamp, Request tokens and Response tokens.'
)
_LENGTH = 256  # tokens of a prompt whose length the recording does not tell
_COLUMNS = {
    "at": ("at", "timestamp", "arrived_at"),
    "input": ("input_length", "request tokens", "contexttokens", "input_tokens", "prompt_tokens"),
    "output": ("output_length", "response tokens", "generatedtokens", "output_tokens", "completion_tokens"),
}


def parse(text: str, name: str, seed: int = 0) -> list[Prompt]:
    """The recording's prompts, each with its time in ``at`` (the first at 0), in the order of time.

    Formats: our own (JSON Lines with ``at`` in seconds), Mooncake's (JSON Lines, ``timestamp`` in milliseconds,
    ``input_length``, ``output_length``; https://github.com/kvcache-ai/Mooncake), BurstGPT's (CSV, ``Timestamp`` in
    seconds, ``Request tokens``, ``Response tokens``; https://github.com/HPMLL/BurstGPT), Azure's (CSV, ``TIMESTAMP`` as
    a date, ``ContextTokens``, ``GeneratedTokens``; https://github.com/Azure/AzurePublicDataset). A prompt whose words
    were not recorded is made with its length.

    Raises:
        BenchmarkError: it is none of them, or a line cannot be used; the message names it.
    """
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise BenchmarkError(f"There is no prompt in {name}.", _EXAMPLE)
    rows = _objects(text, name) if text.lstrip().startswith("{") else _rows(text, name)
    found: list[Prompt] = []
    for number, row in rows:
        try:
            found.append(_prompt(row, len(found) + 1, seed))
        except ValueError as error:
            raise BenchmarkError(f"Line {number} of {name} {error}.", _EXAMPLE) from None
    if not found:
        raise BenchmarkError(f"There is no prompt in {name}.", _EXAMPLE)
    found.sort(key=lambda prompt: prompt.at or 0.0)
    begin = found[0].at or 0.0
    return [replace(prompt, at=(prompt.at or 0.0) - begin) for prompt in found]


def _objects(text: str, name: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(prompt_file.lines(text), 1):
        if line.strip():
            try:
                item = json.loads(line)
            except (ValueError, RecursionError):
                item = None
            if not isinstance(item, dict):
                raise BenchmarkError(f"Line {number} of {name} is no JSON object.", _EXAMPLE)
            if "at" not in item and isinstance(item.get("timestamp"), int | float):
                item = {**item, "at": item["timestamp"] / 1000}
            yield number, item


def _rows(text: str, name: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    try:
        for number, row in enumerate(csv.DictReader(StringIO(text)), 2):
            yield number, {str(key).strip().lower(): value for key, value in row.items()}
    except csv.Error as error:
        raise BenchmarkError(f"{name} is no CSV: {error}.", _EXAMPLE) from None


def _prompt(row: Mapping[str, Any], number: int, seed: int) -> Prompt:
    at = _seconds(_column(row, "at"))
    output = _column(row, "output")
    limit = None if output is None else max(1, _whole(output))
    if "prompt" in row or "messages" in row:
        line = json.dumps({"max_tokens": limit, **row})
        return replace(prompt_file.parse(line, "it")[0], id=str(row.get("id", number)), at=at)
    length = _column(row, "input")
    made = synthetic.of_lengths([_LENGTH if length is None else max(1, _whole(length))], seed + number)[0]
    return replace(made, id=str(number), max_tokens=limit, at=at)


def _column(row: Mapping[str, Any], kind: str) -> Any:
    return next((row[name] for name in _COLUMNS[kind] if row.get(name) not in (None, "")), None)


def _seconds(given: Any) -> float:
    if isinstance(given, str):
        given = _read(given.strip())
    if not isinstance(given, int | float) or isinstance(given, bool) or not math.isfinite(given):
        raise ValueError("has no time")
    return float(given)


def _read(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text[:26]).timestamp()
    except ValueError:
        raise ValueError("has a time that is none") from None


def _whole(given: Any) -> int:
    try:
        return int(float(given))
    except (TypeError, ValueError, OverflowError):
        raise ValueError("has a length that is no number") from None
