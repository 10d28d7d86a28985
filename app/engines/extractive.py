"""The engine without a model: it quotes the best sentences of the passages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.schema import EngineStatus, OnProgress

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from app.config import Settings

WINDOW = 32_768
"""Tokens of passages that it reads; it has no limit of its own, but more would only blur the choice."""


class ExtractiveEngine:
    """The engine ``extractive``: always ready, needs no settings, holds nothing."""

    name = "extractive"
    in_process = takes_memory = False

    def __init__(self, settings: Settings) -> None:
        self._chat: BaseChatModel | None = None

    def check(self) -> EngineStatus:
        """Always ready."""
        return EngineStatus(self.name, True, "", "quotes your documents; needs no model")

    @property
    def loaded(self) -> bool:
        """Whether its few rules were imported."""
        return self._chat is not None

    def memory(self) -> None:
        """Next to nothing."""

    def load(self, on_progress: OnProgress) -> None:
        """Imports its rules."""
        self.chat_model()

    def chat_model(self) -> BaseChatModel:
        """The model that quotes; it raises EngineUnavailable when asked without passages."""
        if self._chat is None:
            from app.engines.extractive_chat import ExtractiveChatModel

            self._chat = ExtractiveChatModel()
        return self._chat

    def context_window(self) -> int:
        """Enough for every passage that is worth reading."""
        return WINDOW

    def number_format(self) -> str:
        """Empty: there is no model."""
        return ""

    def close(self) -> None:
        """Nothing to give back."""
