"""The target that a request names: a server, checked before the first question, or an engine, loaded here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from app.benchmark.named_engine import check_engine, patient
from app.engines.http import check_offline, shown, tls
from app.engines.registry import create, with_model
from app.engines.routing.routes import Route, api_url, routes_of
from app.engines.routing.served import no_address, read_list, request, unreachable
from app.errors import BenchmarkError, EngineUnavailable
from app.schema import Progress

if TYPE_CHECKING:
    from app.benchmark.loading.http_target import HttpTarget
    from app.benchmark.loading.request import ArrivalRequest, LoadRequest
    from app.benchmark.monitor.vllm_metrics import MetricsSource
    from app.benchmark.target import Target
    from app.config import Settings
    from app.schema import OnProgress

LIST_SECONDS = 10.0
"""How long a server may take to list its models: it may have much else to do."""
_SETTING = "--base-url"
_NAMED = 10  # models that a message names


@contextmanager
def opened(wanted: LoadRequest | ArrivalRequest, settings: Settings, on_progress: OnProgress) -> Iterator[Target]:
    """The target, ready to be asked; an engine is loaded, and closed afterwards.

    Raises:
        BenchmarkError: no server is named, it is down, or does not serve the model.
        ConfigError, EngineError: the engine cannot be used.
    """
    if wanted.engine:
        with _engine(wanted.engine, patient(settings, wanted.patience), on_progress) as target:
            yield target
    else:
        yield _server(wanted, settings)


def route_of(wanted: LoadRequest | ArrivalRequest, settings: Settings) -> Route:
    """The server to ask. Raises BenchmarkError where none is named, or OFFLINE keeps us from it."""
    if not wanted.base_url:
        routes = routes_of(settings)
        if not routes:
            raise BenchmarkError(
                "No server is named.", "Give --base-url (or set VLLM_BASE), or an engine of this process by --engine."
            )
        found = routes[0]
    else:
        found = Route("server", api_url(wanted.base_url.strip().rstrip("/")), setting=_SETTING)
        if not found.url.lower().startswith(("http://", "https://")):
            raise BenchmarkError(f"{shown(found.url)} is no address.", "Give one that begins with http:// or https://.")
        found = replace(found, key=settings.vllm_api_key)
        check_offline(settings, found.url, _SETTING)
    if found.refusal:
        raise found.refusal
    return replace(found, model=wanted.model or found.model, key=wanted.api_key or found.key)


def metrics_of(wanted: LoadRequest | ArrivalRequest, settings: Settings) -> MetricsSource | None:
    """Where vLLM tells of itself meanwhile; None for an engine that is none."""
    from app.benchmark.monitor.vllm_metrics import ProcessMetrics, ServerMetrics

    if wanted.engine:
        return ProcessMetrics() if check_engine(wanted.engine)[0] == "vllm" else None
    route = route_of(wanted, settings)
    return ServerMetrics(route.url, route.key)


def _server(wanted: LoadRequest | ArrivalRequest, settings: Settings) -> HttpTarget:
    from app.benchmark.loading.http_target import CHAT, COMPLETIONS, HttpTarget

    route = route_of(wanted, settings)
    model = _served(route)
    tls()  # made now, and not in the first request's time
    path = COMPLETIONS if wanted.completions else CHAT
    return HttpTarget(route, model, path=path, check_tokens=wanted.check_tokens)


def _served(route: Route) -> str:
    """The model to ask for. A server that lists none is asked for the one that is named."""
    try:
        reply = request(route, "GET", "models", seconds=LIST_SECONDS)
    except httpx.HTTPError as error:
        raise _unusable(unreachable(route, error)) from None
    except ValueError:
        raise _unusable(no_address(route)) from None
    try:
        names = [model.name for model in read_list(route, reply)]
    except EngineUnavailable as error:
        if reply.status_code in (401, 403):
            what = "it wants another key" if route.key else "it wants a key"
            raise BenchmarkError(
                f"The server at {shown(route.url)} refuses us ({reply.status_code}): {what}.",
                "Give its key by --api-key, or set VLLM_API_KEY.",
            ) from None
        if not route.model:
            hint = f"Give another {_SETTING}; a server that lists no models wants --model."
            raise BenchmarkError(error.message, hint) from None
        return route.model
    if route.model in names or (route.model and not names):
        return route.model
    if not names:
        raise BenchmarkError(f"The server at {shown(route.url)} serves no model.", "Load one there, or name it.")
    if route.model:
        raise BenchmarkError(
            f"The server at {shown(route.url)} does not serve {route.model}.", f"It serves {_list(names)}."
        )
    return names[0]


def _list(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _unusable(error: EngineUnavailable) -> BenchmarkError:
    return BenchmarkError(error.message, error.hint.replace(f"correct {_SETTING}", f"give another {_SETTING}"))


@contextmanager
def _engine(named: str, settings: Settings, on_progress: OnProgress) -> Iterator[Target]:
    from app.benchmark.engine_target import EngineTarget

    name, model = check_engine(named)
    chosen = with_model(settings, name, model or None)
    if name == "vllm":  # its statistics are wanted here
        chosen = chosen.model_copy(update={"vllm_disable_log_stats": False})
    engine = create(name, chosen)
    try:
        status = engine.check()
        if not status.ready:
            raise EngineUnavailable(f"{name} cannot answer: {status.detail}", status.hint)
        on_progress(Progress("loading", item=name))
        engine.load(on_progress)
        yield EngineTarget(engine, name)
    finally:
        engine.close()
