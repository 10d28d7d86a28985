"""Knowledge: documents in, passages out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.config import Settings
    from app.knowledge.library import Knowledge


def open_knowledge(settings: Settings) -> Knowledge:
    """The documents under ``settings.data_dir``. Raises DataFolderError."""
    from app.knowledge.library import Knowledge

    return Knowledge(settings)
