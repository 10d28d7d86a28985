"""Every door for other programs, behind one FastAPI application, beside the page's own routes."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from app.api import chat, documents, embeddings, engine, generate, health, models
from app.api.described import without_422
from app.api.leaving import ReaderLeft
from app.api.replies import failure, not_found, wrong
from app.errors import HotswapError, UsageError
from app.mcp_server.http import McpDoor
from app.operations import run
from app.service import current

log = logging.getLogger(__name__)

_DESCRIPTION = "/openapi.json"
_MCP = "/mcp"
_BELOW = ("/v1/", "/api/", "/health/", f"{_MCP}/")
_EXACT = ("/v1", "/api", "/health", "/routes", "/metrics", _MCP, _DESCRIPTION)
_LEFT = 499  # nginx's number for a client that hung up; nobody reads it but the log and the metrics


def is_door(path: str) -> bool:
    """Whether programs ask there, and not the page."""
    return path in _EXACT or path.startswith(_BELOW)


def template_of(scope: Scope) -> str:
    """The path as the API describes it, such as ``/v1/models/{model:path}``; ``other`` where there is none."""
    route = scope.get("route")
    found = getattr(route, "path", "") if route is not None else ""
    if found and is_door(found):
        return found
    return _MCP if scope["path"].rstrip("/") == _MCP else "other"


class Doors(BaseRoute):
    """Hands every request for a door on to the API; the page has the rest."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Starlette asks for it."""
        return (Match.FULL if scope["type"] == "http" and is_door(scope["path"]) else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As Starlette asks for it."""
        app = mcp if scope["path"].rstrip("/") == _MCP else api
        await app(scope, receive, send)


async def _wrong_body(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    current().metrics.failed(UsageError("a field is wrong"))
    first, *others = error.errors()
    # Where several kinds of value are allowed there is an error for each: the deepest is about the kind that was meant.
    same = [one for one in others if one["loc"][:2] == first["loc"][:2]]
    problem = max([first, *same], key=lambda one: len(one["loc"]))
    field = _field(problem["loc"])
    if problem["type"] == "json_invalid":
        return _for(request, "The body is no JSON.", None)
    told = str(problem["msg"]).removeprefix("Value error, ")
    code = "unsupported_parameter" if "is not supported" in told else None
    return _for(request, f"{field or 'The body'}: {told}.", field, code)


def _field(where: tuple[str | int, ...]) -> str | None:
    """``messages[0].content``: the way to a wrong field, without the names of the kinds that were tried on it."""
    parts = [part for part in where[1:] if isinstance(part, int) or part.isidentifier()]
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".") or None


def _for(request: Request, message: str, field: str | None, code: str | None = None, status: int = 400) -> Response:
    if request.url.path.startswith("/api/vllm/"):
        return JSONResponse(generate.refusal(message), status)
    return wrong(message, field, code, status)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HotswapError)
    current().metrics.failed(error)
    param = "model" if request.url.path.startswith("/v1/") and "model" in type(error).__name__.lower() else None
    return failure(error, param)


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return not_found(f"There is nothing at {request.url.path[:200]}.", "not_found")
    response = _for(request, f"{error.detail.rstrip('.')}.", None, status=error.status_code)
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(_methods(request))
    return response


def _methods(request: Request) -> list[str]:
    """What can be asked for at its path; the framework knows only of the first route there."""
    routes = [route for route in api.routes if isinstance(route, Route) and route.path_regex.match(request.url.path)]
    return sorted({method for route in routes for method in route.methods or ()})


async def _left(request: Request, error: Exception) -> Response:
    return Response(status_code=_LEFT)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
    return failure(error)


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """As FastAPI asks for it, once."""
        self.openapi_schema = self.openapi_schema or without_422(super().openapi())
        return self.openapi_schema


def _application() -> FastAPI:
    app = _Api(
        title="Hotswap",
        summary="Chat with your own documents on any local model.",
        version="1",
        openapi_url=_DESCRIPTION,
        docs_url=None,  # their pages would load scripts from another host
        redoc_url=None,
        redirect_slashes=False,
    )
    for part in (chat, models, embeddings, documents, engine, generate, health):
        app.include_router(part.router)
    app.add_exception_handler(RequestValidationError, _wrong_body)
    app.add_exception_handler(HotswapError, _problem)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(ReaderLeft, _left)
    app.add_exception_handler(Exception, _unexpected)
    return app


api = _application()
mcp = McpDoor(lambda name, args: run(current(), name, args))
