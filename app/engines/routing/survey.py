"""One look at every route: what is served there, and what about that is odd."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from app.engines.routing.routes import Route
from app.engines.routing.served import ServedModel, list_models, pick
from app.errors import EngineError

_AT_ONCE = 32


@dataclass(frozen=True)
class Look:
    """What one server said. ``served`` is the model it is asked for; without it, ``error`` says why. ``ms`` it took.

    ``problem`` is what is odd about a server that may answer all the same.
    """

    route: Route
    models: tuple[ServedModel, ...]
    served: ServedModel | None
    error: EngineError | None
    ms: float
    problem: str = ""


def look(routes: Sequence[Route]) -> tuple[Look, ...]:
    """All of them at once; takes two seconds at most, never raises."""
    if not routes:
        return ()
    with ThreadPoolExecutor(min(len(routes), _AT_ONCE), thread_name_prefix="survey") as pool:
        return with_problems(tuple(pool.map(_look, routes)))


def _look(route: Route) -> Look:
    began = time.monotonic()
    models: tuple[ServedModel, ...] = ()
    served, error = None, None
    try:
        models = tuple(list_models(route))
        served = pick(route, list(models))
    except EngineError as problem:
        error = problem
    return Look(route, models, served, error, round((time.monotonic() - began) * 1000, 1))


def with_problems(looks: Sequence[Look]) -> tuple[Look, ...]:
    """The same, with what is odd about each beside the others."""
    return tuple(
        Look(each.route, each.models, each.served, each.error, each.ms, _problem(each, looks)) for each in looks
    )


def _problem(look: Look, looks: Sequence[Look]) -> str:
    served = look.served
    if served is None:
        names = ", ".join(model.name for model in look.models)
        return f"it serves {names}, not {look.route.model}" if names and look.route.model else ""
    siblings = [each for each in looks if each.route.rank == look.route.rank and each.served]
    other = next((each for each in siblings if each.served and each.served.name != served.name), None)
    if other is not None and other.served and not look.route.model:
        return f"it serves {served.name}, {other.route.name} serves {other.served.name}"
    same = [each.served for each in siblings if each.served and each.served.name == served.name]
    longest = max((model.window or 0 for model in same), default=0)
    if served.window and served.window < longest:
        return f"it takes {served.window} tokens of context, another route with {served.name} takes {longest}"
    return ""
