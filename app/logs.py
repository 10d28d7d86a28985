"""Logging: to stderr and, where ``LOG_FILE`` says so, to a file."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from app.errors import ConfigError

if TYPE_CHECKING:
    from app.config import Settings


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
    logging.basicConfig(
        level=logging.WARNING,
        handlers=handlers,
        force=True,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("app").setLevel(settings.log_level)
    logging.getLogger("httpx").setLevel(logging.WARNING)
