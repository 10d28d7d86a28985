"""Errors as other programs read them: OpenAI's shape, with the HTTP status that fits.

The shape is that of OpenAI's API reference, "Errors": ``{"error": {"message", "type", "param", "code"}}``. ``hint``
(what to do next) and, where there is one, ``request_id`` are ours.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from app.errors import (
    CollectionError,
    CollectionNameWrong,
    ConfigError,
    ContextTooLong,
    DocumentError,
    DocumentMissing,
    DoorClosed,
    EmbedderMismatch,
    HotswapError,
    KeyRefused,
    QuestionError,
    TooBusy,
    TooLarge,
    UnsupportedFormat,
    UsageError,
)
from app.logs import request_id

_STATUS: tuple[tuple[type[HotswapError], int, str], ...] = (
    (ContextTooLong, 400, "invalid_request_error"),
    (UsageError, 400, "invalid_request_error"),
    (QuestionError, 400, "invalid_request_error"),
    (ConfigError, 400, "invalid_request_error"),
    (KeyRefused, 401, "authentication_error"),
    (DoorClosed, 403, "permission_error"),
    (EmbedderMismatch, 409, "invalid_request_error"),
    (CollectionNameWrong, 400, "invalid_request_error"),
    (CollectionError, 404, "not_found_error"),
    (DocumentMissing, 404, "not_found_error"),
    (UnsupportedFormat, 415, "invalid_request_error"),
    (TooLarge, 413, "invalid_request_error"),
    (DocumentError, 422, "invalid_request_error"),
    (TooBusy, 429, "rate_limit_error"),
    (HotswapError, 503, "server_error"),  # an engine, an embedding model or the data folder, and none of them for ever
)
_CODES = {
    "context_too_long": "context_length_exceeded",
    "key_refused": "invalid_api_key",
    "model_unknown": "model_not_found",
}
"""Codes that clients of OpenAI's API know by another name than ours."""


def status_of(error: Exception) -> int:
    """The HTTP status that tells ``error``."""
    return _told(error)[0]


def as_openai(error: Exception, param: str | None = None) -> dict[str, Any]:
    """The body that tells ``error``; ``param`` is the field that is wrong."""
    if not isinstance(error, HotswapError):
        error = HotswapError(f"{type(error).__name__} in the server.", "Its log has the details, under the request id.")
        return _body(error, "server_error", "internal_error", param)
    return _body(error, _told(error)[1], _CODES.get(error.code, error.code), param)


def failure(error: Exception, param: str | None = None) -> JSONResponse:
    """``error`` as a response."""
    headers = {}
    if isinstance(error, TooBusy):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, KeyRefused):
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(as_openai(error, param), status_of(error), headers)


def not_found(what: str, code: str, param: str | None = None) -> JSONResponse:
    """Nothing is there."""
    return JSONResponse(_body(HotswapError(what), "not_found_error", code, param), 404)


def wrong(message: str, param: str | None, code: str | None = None, status: int = 400) -> JSONResponse:
    """A field of the request is wrong."""
    return JSONResponse(_body(HotswapError(message), "invalid_request_error", code, param), status)


def _told(error: Exception) -> tuple[int, str]:
    return next(((status, kind) for one, status, kind in _STATUS if isinstance(error, one)), (500, "server_error"))


def _body(error: HotswapError, kind: str, code: str | None, param: str | None) -> dict[str, Any]:
    told = {"message": str(error), "type": kind, "param": param, "code": code, "hint": error.hint}
    number = request_id.get()
    return {"error": {**told, "request_id": number} if number else told}
