"""What the API's description, ``/openapi.json``, says of answers that no signature tells: errors and other media."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_WHEN = {
    400: "a field is wrong, or the question is none",
    401: "the key is missing or wrong",
    403: "asked from a place where nobody is let in",
    404: "no such model, document or job",
    409: "the collection was built by another embedding model",
    413: "more than is taken at once",
    415: "a kind of file that is not read",
    429: "too many at once, or too often by one key; Retry-After says when to come again",
    503: "no engine can answer now, or the server is being stopped",
}


class Problem(BaseModel):
    """What went wrong, and in ``hint`` what to do next. ``param`` is the field that is wrong."""

    message: str
    type: str
    param: str | None
    code: str | None
    hint: str
    request_id: str = ""


class Failed(BaseModel):
    """The shape of every error, which is that of OpenAI's API."""

    error: Problem


class NoText(BaseModel):
    """The shape of the errors of ``/api/vllm/generate``."""

    success: bool
    error: str


Responses = dict[int | str, dict[str, Any]]


def may_fail(*statuses: int, shape: type[BaseModel] = Failed) -> Responses:
    """How a request may be refused, beside what holds for all of them."""
    every = sorted({*statuses, 401, 403, 413, 429})
    return {status: {"model": shape, "description": _WHEN[status]} for status in every}


def gives(*media: str) -> Responses:
    """What an answer may be written in, beside JSON."""
    return {200: {"content": {kind: {} for kind in media}}}


def without_422(description: dict[str, Any]) -> dict[str, Any]:
    """``description`` without the answer that FastAPI puts into all of it and that is never given here."""
    for methods in description["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        description["components"]["schemas"].pop(name, None)
    return description
