"""Background work as other programs see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from starlette.responses import JSONResponse, Response

from app.api.replies import not_found
from app.jobs import Job, T


def as_dict(job: Job[T]) -> dict[str, Any]:
    """``state``: waiting, running, done, failed or cancelled; ``result`` once done, ``error`` where it failed."""
    result = getattr(job.result, "as_dict", None)
    return {
        "id": job.id,
        "title": job.title,
        "state": job.state,
        "progress": asdict(job.progress),
        "result": result() if result else None,
        "error": job.error.as_dict() if job.error else None,
    }


def find(jobs: Sequence[Job[T]], number: str) -> Job[T] | None:
    """The job of that id; ended ones are forgotten after a while."""
    return next((job for job in jobs if job.id == number), None)


def one(job: Job[T] | None) -> Response:
    """A job as a response."""
    return JSONResponse(as_dict(job)) if job else not_found("There is no such job, or not any more.", "job_missing")
