"""The routes that the settings name: where each leads, what it is asked for, and when it is its turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from app.engines.http import check_offline, is_loopback, shown
from app.errors import ConfigError, EngineUnavailable

if TYPE_CHECKING:
    from app.config import Settings
    from app.config_llm import RouteSettings

_ALONE = "server"


@dataclass(frozen=True)
class Route:
    """One server. ``model`` empty takes what it serves; ``timeout`` in seconds; a lower ``rank`` is asked first."""

    name: str
    url: str
    model: str = ""
    key: str = field(default="", repr=False)
    timeout: float = 60.0
    weight: float = 1.0
    rank: tuple[bool, int] = (False, 0)
    setting: str = "VLLM_BASE_URL"
    """What holds its address, for hints."""
    refusal: EngineUnavailable | None = None
    """Why it may not be asked at all: OFFLINE is set and it is on another machine."""


def routes_of(settings: Settings) -> tuple[Route, ...]:
    """Every route, the default one first; empty where no server is set.

    VLLM_BASE_URL replaces the default route's address: several addresses make that many routes of it. VLLM_MODEL
    replaces the model of the default route and of those with the same one. VLLM_API_KEY is the key of routes without.
    """
    urls = [url for url in settings.vllm_base_url.split(",") if url]
    llm = settings.llm
    if not llm.routes:
        names = [_ALONE] if len(urls) == 1 else [f"{_ALONE}{number}" for number in range(1, len(urls) + 1)]
        rank = (False, 0)
        return tuple(
            _offline(
                settings,
                Route(name, api_url(url), settings.vllm_model, settings.vllm_api_key, llm.params.timeout, 1.0, rank),
            )
            for name, url in zip(names, urls, strict=True)
        )
    first = llm.default_route or next(name for name in llm.routes if name != llm.fallback_route or len(llm.routes) == 1)
    replaced = llm.routes[first].model
    found: list[Route] = []
    for name in (first, *(name for name in llm.routes if name != first)):
        route = _route(settings, name, llm.routes[name])
        if settings.vllm_model and llm.routes[name].model == replaced:
            route = replace(route, model=settings.vllm_model)
        if name == first and urls:
            taken = set(llm.routes)
            for at, url in enumerate(urls):
                named = _numbered(name, at, taken)
                found.append(replace(route, name=named, url=api_url(url), setting="VLLM_BASE_URL"))
        else:
            found.append(route)
    return tuple(_offline(settings, route) for route in found)


def check_not_own(routes: Sequence[Route], own: str) -> None:
    """Raises ConfigError where a route leads to ``own``, the address of this very server: it would ask itself."""
    here = urlsplit(own)
    for route in routes:
        there = urlsplit(route.url)
        same_host = there.hostname == here.hostname or is_loopback(there.hostname or "")
        if same_host and _port(there) == _port(here):
            raise ConfigError(
                f"The route {route.name} leads to {shown(route.url)}, which is Hotswap itself.",
                f"Set {route.setting} to a model server.",
            )


def _port(address: SplitResult) -> int | None:
    try:
        return address.port or {"http": 80, "https": 443}.get(address.scheme)
    except ValueError:
        return None


def api_url(base: str) -> str:
    """``base`` with the ``/v1`` that the API's paths begin with; empty stays empty."""
    return base if not base or base.endswith("/v1") else f"{base}/v1"


def _numbered(name: str, at: int, taken: set[str]) -> str:
    """``name`` for the first, then ``name-2`` and so on; a number more where a route has that name."""
    if not at:
        return name
    free = next(f"{name}-{number}" for number in count(at + 1) if f"{name}-{number}" not in taken)
    taken.add(free)
    return free


def _route(settings: Settings, name: str, given: RouteSettings) -> Route:
    llm = settings.llm
    return Route(
        name,
        api_url(given.base_url),
        given.model,
        given.api_key or settings.vllm_api_key,
        given.timeout or llm.params.timeout,
        given.weight,
        (name == llm.fallback_route, given.tier),
        f"llm.routes.{name}.base_url",
    )


def _offline(settings: Settings, route: Route) -> Route:
    try:
        check_offline(settings, route.url, route.setting)
    except EngineUnavailable as error:
        return replace(route, refusal=error)
    return route
