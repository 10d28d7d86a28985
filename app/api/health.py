"""``/health`` (can it answer?), ``/health/live`` (does it run?), ``/routes`` and ``/metrics``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from app.api.described import may_fail
from app.errors import HotswapError
from app.metrics import CONTENT_TYPE
from app.service import Service, current

router = APIRouter(tags=["health"])


@router.get("/health/live", response_model=None)
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get(
    "/health", response_model=None, responses={**may_fail(), 503: {"description": "no engine can answer now"}}
)
async def health() -> Response:
    """Which engine answers now, what it is doing, and the state of each; 503 where none could answer."""
    try:
        return JSONResponse(await run_in_threadpool(_health, current()))
    except HotswapError as error:
        return JSONResponse({"status": "error", "error": error.as_dict()}, status_code=503)


@router.get("/routes", response_model=None, responses=may_fail())
async def routes() -> dict[str, Any]:
    """Every server of the engine ``vllm_openai``: its health, its load, and what is known of it."""
    return {"routes": await run_in_threadpool(_routes, current())}


@router.get("/metrics", response_class=PlainTextResponse, responses=may_fail())
async def metrics() -> Response:
    """For Prometheus; the names are listed in docs/monitoring.md."""
    return Response(await run_in_threadpool(current().metrics.text), media_type=CONTENT_TYPE)


def _health(service: Service) -> dict[str, Any]:
    chosen = service.choice().engine.name
    engines = service.engines()
    admission, progress = service.answering.admission, service.switch.progress
    return {
        "status": "ok",
        "llm_engine": chosen,
        "model": next((status.model for status in engines if status.name == chosen), ""),
        "active_tasks": admission.active,
        "waiting_tasks": admission.waiting,
        "loading": asdict(progress) if progress else None,
        "engines": [status.as_dict() for status in engines],
        "routes": _routes(service),
    }


def _routes(service: Service) -> list[dict[str, Any]]:
    engine = service.switch.engines.get("vllm_openai")
    return [status.as_dict() for status in getattr(engine, "routes", tuple)()]
