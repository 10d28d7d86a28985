"""Engines that cannot do what INFERENCE_METHOD asks for: they say so, and never answer in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.config_method import UNABLE
from app.engines.base import DEFAULT_CONTEXT_WINDOW
from app.errors import EngineUnavailable
from app.schema import EngineStatus

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from app.config import Settings
    from app.schema import OnProgress


def is_unable(name: str, settings: Settings) -> bool:
    """Whether the engine called ``name`` cannot write as INFERENCE_METHOD says."""
    return bool(settings.inference_method) and name in UNABLE


class UnableEngine:
    """Stands for the engine ``name`` while INFERENCE_METHOD is one that it lacks; never ready."""

    in_process = takes_memory = loaded = False

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self) -> EngineStatus:
        """Why not, and what to set."""
        error = self._error()
        return EngineStatus(self.name, False, "", error.message, error.hint)

    def memory(self) -> None:
        """It loads nothing."""

    def load(self, on_progress: OnProgress) -> None:
        """Raises EngineUnavailable."""
        raise self._error()

    def chat_model(self) -> BaseChatModel:
        """Raises EngineUnavailable."""
        raise self._error()

    def context_window(self) -> int:
        """The usual one."""
        return DEFAULT_CONTEXT_WINDOW

    def number_format(self) -> str:
        """Empty: it computes nothing."""
        return ""

    def close(self) -> None:
        """Nothing to give back."""

    def _error(self) -> EngineUnavailable:
        why, what = UNABLE[self.name]
        return EngineUnavailable(f"INFERENCE_METHOD is speculative: {why}.", what)
