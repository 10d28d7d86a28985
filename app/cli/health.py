"""The command ``health``: whether the servers of ``vllm_openai`` answer, asked by this process itself."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from app.cli.common import add_json, fail, print_json
from app.config import get_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.cli.common import Commands
    from app.engines.routing.checkup import Checked

ALL, SOME, NONE = 0, 1, 3
"""Exit codes: how many routes are healthy."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    health = commands.add_parser(
        "health",
        help="whether every vLLM server (route) answers, and why not",
        description="Asks every route for one token. Exit code: 0 all answer, 1 some, 3 none or none is set.",
    )
    health.set_defaults(command=_health)
    add_json(health)


def _health(args: argparse.Namespace) -> int:
    from app.engines.routing.checkup import check_up
    from app.engines.routing.routes import routes_of
    from app.engines.vllm_openai import NOT_CONFIGURED, START_HINT
    from app.errors import EngineUnavailable

    settings = get_settings()
    found = check_up(routes_of(settings), settings.llm.deadlines.connect)
    healthy = sum(route.healthy for route in found)
    if args.json:
        routes = [route.as_dict() for route in found]
        print_json({"healthy": healthy, "total": len(found), "routes": routes})
    elif found:
        _print(found, healthy)
    if not found:
        return fail(EngineUnavailable(NOT_CONFIGURED, START_HINT), NONE)
    return ALL if healthy == len(found) else SOME if healthy else NONE


def _print(routes: Sequence[Checked], healthy: int) -> None:
    rows = [(route.name, route.url, route.model or "?", _state(route), f"{route.ms:.0f} ms") for route in routes]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for *words, ms in rows:
        print("  ".join([*map(str.ljust, words, widths), ms.rjust(widths[-1])]))
    print(f"{healthy}/{len(routes)} healthy")
    for route in routes:
        for note in filter(None, (route.problem if route.healthy else "", route.hint)):
            print(f"{route.name}: {note}")


def _state(route: Checked) -> str:
    """``healthy``, or why not; with what else is served where the configured model is not."""
    if route.healthy:
        return "healthy"
    offered = f" It serves {', '.join(route.models)}." if route.models and not route.served_as_configured else ""
    return f"{route.error}{offered}"
