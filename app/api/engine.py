"""``/api/engine``: which engine answers, and another one in its place."""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from app.api import jobs
from app.api.chat_request import Text
from app.api.described import may_fail
from app.engines.registry import AUTO, ORDER, check_name
from app.errors import UsageError
from app.service import Service, current

_NAME = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*){0,2}(?::[\w.-]+)?(?:@[\w./-]+)?")
router = APIRouter(prefix="/api/engine", tags=["engine"])


class Switch(BaseModel):
    """Which engine is to answer, and with which model; without one, the model that the settings name."""

    engine: Text = Field(max_length=100, examples=["extractive"], json_schema_extra={"enum": [AUTO, *ORDER]})
    model: Text | None = Field(None, max_length=500)


@router.get("", response_model=None, responses=may_fail(503))
async def state() -> dict[str, Any]:
    """The engine that answers now, and each engine's state."""
    return await run_in_threadpool(_state, current())


@router.post("", response_model=None, status_code=202, responses=may_fail(400))
async def switch(asked: Switch) -> Response:
    """Switch in the background, while the old engine answers; the job tells how it goes."""
    if asked.engine != AUTO:
        check_name(asked.engine)
    _check_is_a_name(asked.model or "")
    job = current().start_switch(asked.engine, asked.model or None)
    return JSONResponse({"job": jobs.as_dict(job)}, 202, {"Location": f"/api/engine/jobs/{job.id}"})


@router.get("/jobs", response_model=None, responses=may_fail())
async def running() -> dict[str, Any]:
    """Running and recent switches, newest first."""
    return {"jobs": [jobs.as_dict(job) for job in current().engine_jobs()]}


@router.get("/jobs/{number}", response_model=None, responses=may_fail(404))
async def job(number: str) -> Response:
    """How one goes."""
    return jobs.one(jobs.find(current().engine_jobs(), number))


def _check_is_a_name(model: str) -> None:
    """Raises UsageError for a folder of this machine: the settings choose those, not whoever asks from outside."""
    if model and (not _NAME.fullmatch(model) or ".." in model or os.path.lexists(model)):
        raise UsageError(
            f"{model[:100]!r} is no name of a model.",
            "Use org/name or name:tag; a folder is set in VLLM_MODEL_PATH or HF_MODEL_PATH.",
        )


def _state(service: Service) -> dict[str, Any]:
    service.forget_choices()
    chosen, engines = service.switch.answering, service.engines()
    progress = service.switch.progress
    return {
        "engine": chosen,
        "model": next((status.model for status in engines if status.name == chosen), ""),
        "wanted": service.switch.wanted,
        "loading": asdict(progress) if progress else None,
        "engines": [status.as_dict() for status in engines],
    }
