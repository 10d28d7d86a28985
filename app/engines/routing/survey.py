"""One look at every route: what is served there, and what about that is odd."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import httpx

from app.engines.http import CHECK_SECONDS, shown
from app.engines.routing.requests import CHAT, SMALLEST
from app.engines.routing.routes import Route
from app.engines.routing.served import SEE_LOG, ServedModel, fetch_list, pick, read_list, request
from app.errors import EngineError, EngineUnavailable

_AT_ONCE = 32
LAGGARDS = 0.3
"""Seconds for the others, once one server has answered: nobody waits for a hanging one while another is there."""


@dataclass(frozen=True)
class Look:
    """What one server said. ``served`` is the model it is asked for; without it, ``error`` says why. ``ms`` it took.

    ``problem`` is what is odd about a server that may answer all the same.
    """

    route: Route
    models: tuple[ServedModel, ...] = ()
    served: ServedModel | None = None
    error: EngineError | None = None
    ms: float = 0.0
    problem: str = ""


def look(routes: Sequence[Route], *, patient: bool = True) -> tuple[Look, ...]:
    """All of them at once; takes two seconds at most, never raises. Not ``patient``, it waits for no laggards."""
    if not routes:
        return ()
    pool = ThreadPoolExecutor(min(len(routes), _AT_ONCE), thread_name_prefix="survey")
    began = time.monotonic()
    looking = [pool.submit(_look, route) for route in routes]
    pool.shutdown(wait=False)
    waiting: set[Future[Look]] = set(looking)
    until: float | None = None
    while waiting and (until is None or time.monotonic() < until):
        done, waiting = wait(waiting, None if until is None else until - time.monotonic(), FIRST_COMPLETED)
        if until is None and not patient and any(each.result().served for each in done):
            until = time.monotonic() + LAGGARDS
    ms = round((time.monotonic() - began) * 1000, 1)
    return with_problems(
        [each.result() if each.done() else _late(route, ms) for each, route in zip(looking, routes, strict=True)]
    )


def _late(route: Route, ms: float) -> Look:
    error = EngineUnavailable(f"The server at {shown(route.url)} does not answer.", SEE_LOG)
    return Look(route, error=error, ms=ms)


def _look(route: Route) -> Look:
    began = time.monotonic()
    found = Look(route)
    try:
        reply = fetch_list(route)
        if reply.status_code in (404, 405) and route.model and _answers(route, began):
            found = replace(found, served=ServedModel(route.model, None), problem="it does not list its models")
        else:
            found = replace(found, models=tuple(read_list(route, reply)))
            found = replace(found, served=pick(route, list(found.models)))
    except EngineError as problem:
        found = replace(found, error=problem)
    return replace(found, ms=round((time.monotonic() - began) * 1000, 1))


def _answers(route: Route, began: float) -> bool:
    """Whether a server without a list of models writes a token, in what is left of a look's time."""
    body = {"model": route.model, "messages": SMALLEST.messages, **SMALLEST.options}
    left = max(0.2, CHECK_SECONDS - (time.monotonic() - began))
    try:
        return request(route, "POST", CHAT, seconds=left, body=body).status_code == 200
    except (httpx.HTTPError, EngineError, ValueError):
        return False


def with_problems(looks: Sequence[Look]) -> tuple[Look, ...]:
    """The same, with what is odd about each beside the others."""
    return tuple(replace(each, problem=each.problem or _problem(each, looks)) for each in looks)


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
