"""A fresh look at every route: whether it is there, what it serves, and whether an answer really comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import httpx

from app.engines.http import client_options, shown
from app.engines.loop import submit
from app.engines.routing.exchange import Patience, exchange
from app.engines.routing.faults import Fault
from app.engines.routing.learning import try_resume
from app.engines.routing.live import LiveRoute
from app.engines.routing.requests import CHAT, SMALLEST, asked
from app.engines.routing.routes import Route
from app.engines.routing.survey import Look, look
from app.errors import EngineError, EngineUnavailable, ModelMissing

LONGEST = 10.0
"""Seconds for all of it, the list of models and the waiting for a token."""

Resume = Literal["tokens", "text", "no"]


@dataclass(frozen=True)
class Checked:
    """What was found out about one route; ``healthy`` is one whose own model wrote a token.

    ``served_as_configured`` is None where the server does not list its models, ``resume`` where it was not found out:
    how an answer that broke off elsewhere can go on here. ``ms`` until the answer came, or it was clear that none
    comes; ``ttft_ms`` the first token's part of that. ``problem`` is what is odd about a route that answers.
    """

    name: str
    url: str
    model: str
    healthy: bool
    ms: float
    reachable: bool
    models: tuple[str, ...]
    max_model_len: int | None
    served_as_configured: bool | None
    completion_ok: bool
    ttft_ms: float | None
    resume: Resume | None
    problem: str
    error: str
    hint: str
    weight: float
    tier: int
    fallback: bool

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        return {**asdict(self), "models": list(self.models)}


def check_up(routes: Sequence[Route], connect: float) -> tuple[Checked, ...]:
    """All of them at once, each with ``connect`` seconds for a connection; takes LONGEST, never raises."""
    end = time.monotonic() + LONGEST
    looks = look(routes)

    async def every() -> list[Checked]:
        return await asyncio.gather(*(_check(each, connect, end - time.monotonic()) for each in looks))

    return tuple(submit(every()).result())


async def _check(seen: Look, connect: float, seconds: float) -> Checked:
    live = LiveRoute(seen.route)
    live.model = seen.served.name if seen.served else seen.route.model
    clock = asyncio.get_running_loop().time
    began, end = clock(), clock() + seconds
    wait = min(seconds, seen.route.timeout)
    ttft, error = None, seen.error
    if live.model:  # asked though there is no list of models: answers count
        try:
            ttft, _ = await _ask(live, Patience(connect, wait, wait), ids=False)
        except Fault as fault:
            error = error or fault.error
    ms = seen.ms + (clock() - began) * 1000
    resume = None if ttft is None else await _resume(live, Patience(connect, wait, wait, end))
    return _checked(seen, live.model, ms, ttft, error, resume)


async def _ask(live: LiveRoute, patience: Patience, *, ids: bool) -> tuple[float, bool]:
    """Seconds to the first token of the smallest answer, and whether tokens were told. Raises Fault."""
    clock = asyncio.get_running_loop().time
    began, ttft, told = clock(), None, False
    async for part in exchange(live.route, live.model, CHAT, asked(SMALLEST, live.model, ids=ids), patience):
        if ttft is None and part.says_something:
            ttft = clock() - began
        told = told or bool(part.prompt_ids)
    return ttft or 0.0, told


async def _resume(live: LiveRoute, patience: Patience) -> Resume | None:
    try:
        _, told = await _ask(live, patience, ids=True)
    except Fault:  # it minds the question for tokens
        told = False
    if told:
        return "tokens"
    left = (patience.end or 0.0) - asyncio.get_running_loop().time()
    await try_resume(live, max(left, 0.0))
    return live.resumes


def _checked(
    seen: Look, model: str, ms: float, ttft: float | None, error: EngineError | None, resume: Resume | None
) -> Checked:
    route = seen.route
    listed = bool(seen.models)
    as_configured = True if seen.served and listed else False if isinstance(seen.error, ModelMissing) else None
    healthy = ttft is not None and as_configured is not False
    unlisted = "it does not list its models" if healthy and as_configured is None else ""
    return Checked(
        name=route.name,
        url=shown(route.url),
        model=model,
        healthy=healthy,
        ms=round(ms, 1),
        reachable=ttft is not None or _reached(seen),
        models=tuple(served.name for served in seen.models),
        max_model_len=seen.served.window if seen.served else None,
        served_as_configured=as_configured,
        completion_ok=ttft is not None,
        ttft_ms=None if ttft is None else round(ttft * 1000, 1),
        resume=resume,
        problem=seen.problem or unlisted,
        error="" if healthy or error is None else error.message,
        hint="" if healthy or error is None else error.hint,
        weight=route.weight,
        tier=route.rank[1],
        fallback=route.rank[0],
    )


def _reached(seen: Look) -> bool:
    """Whether anything answered when it was asked for its models."""
    if seen.route.refusal or isinstance(seen.error and seen.error.__cause__, httpx.HTTPError):
        return False
    try:
        client_options(seen.route.url)
    except EngineUnavailable:  # no address, or no way to it
        return False
    return True
