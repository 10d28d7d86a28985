"""Prompts out of a file: a line each, plain text or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from app.benchmark.prompts import Prompt
from app.errors import BenchmarkError

_ROLES = ("system", "user", "assistant")
_EXAMPLE = (
    'A line is a prompt, or JSON: {"prompt": "…"} or {"messages": […]}, with "max_tokens" and "expected" at will.'
)


def parse(text: str, name: str) -> list[Prompt]:
    """The prompts of a file called ``name``: of each line that is not blank, text or a JSON object.

    An object has ``prompt`` (or ``question``) or ``messages``; ``id``, ``max_tokens``, and ``expected``: the only right
    answer, to find what is missing or twice.

    Raises:
        BenchmarkError: there is none, or a line cannot be used; the message names it.
    """
    found: list[Prompt] = []
    for number, line in enumerate(lines(text), 1):
        if line.strip():
            try:
                found.append(_prompt(line.strip(), str(len(found) + 1)))
            except ValueError as error:
                raise BenchmarkError(f"Line {number} of {name} {error}.", _EXAMPLE) from None
    if not found:
        raise BenchmarkError(f"There is no prompt in {name}.", _EXAMPLE)
    return found


def lines(text: str) -> list[str]:
    """Of a file. Only its own line ends part them: JSON may hold others, such as U+2028, as they are."""
    return re.split("\r\n|\n|\r", text.removeprefix("\ufeff"))


def user(text: str) -> tuple[Mapping[str, str], ...]:
    """``text`` as the one message of a user."""
    return ({"role": "user", "content": text},)


def _prompt(line: str, number: str) -> Prompt:
    if not line.startswith("{"):
        return Prompt(number, user(line))
    try:
        item = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("begins like JSON and is none") from None
    limit, expected = item.get("max_tokens"), item.get("expected")
    if limit is not None and not (isinstance(limit, int) and not isinstance(limit, bool) and limit > 0):
        raise ValueError('has a "max_tokens" that is no number above 0')
    if expected is not None and not isinstance(expected, str):
        raise ValueError('has an "expected" that is no text')
    return Prompt(str(item.get("id", number)), _messages(item), limit, expected)


def _messages(item: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    given = item.get("messages")
    if given is None:
        text = item.get("prompt", item.get("question"))
        if not isinstance(text, str) or not text.strip():
            raise ValueError('has neither "prompt" nor "messages"')
        return user(text)
    if not isinstance(given, list) or not given or not all(map(_is_message, given)):
        raise ValueError('has "messages" that are not a list of {"role": …, "content": "…"}')
    return tuple({"role": message["role"], "content": message["content"]} for message in given)


def _is_message(given: object) -> bool:
    return isinstance(given, dict) and given.get("role") in _ROLES and isinstance(given.get("content"), str)
