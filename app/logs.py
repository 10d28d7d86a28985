"""Logging: to stderr and, where ``LOG_FILE`` says so, to a file; lines for people or JSON for programs."""

from __future__ import annotations

import json
import logging
import os
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.errors import ConfigError

if TYPE_CHECKING:
    from app.config import Settings

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is being answered; it stands in the log, in errors and in a header."""


def set_up_logging(settings: Settings) -> None:
    """Our own messages from ``LOG_LEVEL`` up, other libraries' from WARNING. Raises ConfigError for a bad LOG_FILE."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if settings.log_file:
        try:
            handlers.append(logging.FileHandler(settings.log_file, encoding="utf-8"))
        except OSError as error:
            raise ConfigError(
                f"LOG_FILE {settings.log_file} cannot be written: {error.strerror}.",
                "Name a file in a folder you can write to.",
            ) from None
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    for handler in handlers:
        handler.setFormatter(Json() if settings.log_format == "json" else Lines())
    logging.getLogger("app").setLevel(settings.log_level)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # it has set up lines of its own
        theirs = logging.getLogger(name)
        theirs.handlers.clear()
        theirs.propagate = True
        theirs.setLevel(logging.WARNING)


class Lines(logging.Formatter):
    """A line for people, with the number of the request that it is about."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """As logging asks for it."""
        number = request_id.get()
        return f"{super().format(record)} [{number}]" if number else super().format(record)


class Json(logging.Formatter):
    """A line of JSON: ``time`` (UTC), ``level``, ``logger``, ``message``, and where known ``request_id``, ``error``."""

    def format(self, record: logging.LogRecord) -> str:
        """As logging asks for it."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if number := request_id.get():
            told["request_id"] = number
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)
