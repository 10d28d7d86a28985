"""Says in plain words what is wrong with a setting: its key, its value, what is allowed, the nearest right name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.errors import one_line

_SECRET = re.compile("(?:keys?|(?<!first_)token|secret|password)(?![a-z])", re.IGNORECASE)
_LONGEST_VALUE = 60  # characters of a wrong value that are repeated
_LIMITS = ("ge", "gt", "le", "lt")  # a number's bounds, as pydantic and vllm_arguments.json name them


def explain(problem: Mapping[str, Any], settings: type[BaseModel]) -> str:
    """One of pydantic's ``ValidationError.errors()`` as one sentence with its full stop."""
    where = [str(part) for part in problem["loc"]]
    if "[key]" in where:  # a name inside a mapping is no text; its owner is told
        where = where[: where.index("[key]") - 1]
    model, field, kind = _look_up(settings, where)
    key = shown_key(where)
    if problem["type"] == "missing":
        return f"{key} is missing."
    if problem["type"] == "extra_forbidden":
        return f"{key} is no setting{did_you_mean(where[-1], model.model_fields)}."
    if problem["type"] == "value_error":
        return f"{key} {problem['ctx']['error']}."
    names = _names(field)
    near = did_you_mean(str(problem["input"]), names, otherwise=False) if names else ""
    return f"{key} is {shown_value(key, problem['input'])}, but must be {_allowed(field, kind)}{near}."


def shown_key(where: list[str]) -> str:
    """The key as its user writes it: ``LOG_LEVEL``, ``llm.params.timeout``."""
    return where[0].upper() if len(where) == 1 and where[0] != "llm" else ".".join([where[0].lower(), *where[1:]])


def shown_value(key: str, value: object) -> str:
    """``value`` for a message; three dots for what may be a secret, and in place of what is long."""
    text = one_line(repr(value))
    if _SECRET.search(key) or _SECRET.search(text) or "@" in text:  # an address may hold a password
        return "…"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def did_you_mean(name: str, known: Iterable[str], *, otherwise: bool = True) -> str:
    """`` (did you mean X?)``, or where nothing is near and ``otherwise`` asks for it, all that is known."""
    choices = {choice.casefold(): choice for choice in known}
    begun = [choice for choice in sorted(choices) if name and choice.startswith(name.casefold())]
    near = begun or difflib.get_close_matches(name.casefold(), sorted(choices), n=1, cutoff=0.6)
    if near:
        return f" (did you mean {choices[near[0]]}?)"
    return f" (there are {', '.join(sorted(choices.values()))})" if otherwise and choices else ""


def any_of(words: Sequence[str]) -> str:
    """``a, b or c``."""
    return f"{', '.join(words[:-1])} or {words[-1]}"


def bounds(limits: Mapping[str, Any]) -> str:
    """`` above 0 and at most 1`` of ``{"gt": 0, "le": 1}``; empty where there are no limits."""
    if "ge" in limits and "le" in limits:
        return f" from {limits['ge']} to {limits['le']}"
    low = f"above {limits['gt']}" if "gt" in limits else f"of {limits['ge']} or more" if "ge" in limits else ""
    high = f"at most {limits['le']}" if "le" in limits else f"below {limits['lt']}" if "lt" in limits else ""
    words = " and ".join(part for part in (low, high) if part)
    return f" {words}" if words else ""


def where_to_correct(path: Path | None) -> str:
    """The hint that goes with :func:`explain`; ``path`` is the settings file, if there is one."""
    place = f"{path.name} or the environment" if path else "the environment"
    return f"Correct it in {place}; config.example.yaml lists every setting."


def _look_up(settings: type[BaseModel], where: list[str]) -> tuple[type[BaseModel], FieldInfo | None, Any]:
    """The innermost section on the way to a key, the field there (None for an unknown one), and the type it takes."""
    model, field, kind = settings, None, cast(Any, settings)
    for name in where:
        if get_origin(kind) is dict:  # a name that its user chose, and its section
            field, kind = None, get_args(kind)[1]
            continue
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            model = kind
        field = model.model_fields.get(name)
        kind = field.annotation if field else None
    return model, field, kind


def _names(field: FieldInfo | None) -> tuple[str, ...]:
    """The words that a field takes, where it takes only certain words."""
    options = _options(field.annotation) if field else []
    return next((get_args(option) for option in options if get_origin(option) is Literal), ())


def _options(annotation: Any) -> list[Any]:
    return list(get_args(annotation)) if get_origin(annotation) in (Union, UnionType) else [annotation]


def _allowed(field: FieldInfo | None, kind: Any) -> str:
    if names := _names(field):
        return any_of(names)
    kind = _options(kind)[0]
    if kind in (int, float):
        return f"a {'whole ' if kind is int else ''}number{bounds(_limits(field))}"
    if kind is bool:
        return "true or false"
    if kind is str:
        return "text (in quotes, where it looks like a number)"
    if kind is Path:
        return "the path of a file or folder"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return f"a section with {', '.join(kind.model_fields)}"
    if issubclass(section := get_args(kind)[1], BaseModel):
        return f"names, each with a section of {', '.join(section.model_fields)}"
    return "names with values, as in {max_model_len: 8192}"


def _limits(field: FieldInfo | None) -> dict[str, float]:
    found: dict[str, float] = {}
    for rule in field.metadata if field else ():
        found |= {name: getattr(rule, name) for name in _LIMITS if getattr(rule, name, None) is not None}
    return found
