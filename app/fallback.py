"""Who writes an answer: the chosen engine, and the next ready one when it fails before its first word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.conversation.writing import Writer
from app.engines.registry import ORDER
from app.errors import EngineError

if TYPE_CHECKING:
    from app.engines.base import Engine
    from app.service import Service


class WriterLine:
    """The engines in line for one answer."""

    def __init__(self, service: Service, wanted: str | None) -> None:
        self._service = service
        self._wanted = wanted
        self._tried: set[str] = set()

    def first(self) -> Writer:
        """The engine asked for, else the chosen one; the next ready one where that cannot answer."""
        choice = self._service.choice(self._wanted)
        self._tried |= {status.name for status in choice.reasons}
        return self._writer(choice.engine, choice.engine.check().model)

    def after(self, error: EngineError) -> Writer | None:
        """Who writes instead of the one that failed with ``error``; None when nobody is left."""
        self._service.forget_choices()
        for name in ORDER:
            if name not in self._tried:
                engine = self._service.engine_objects[name]
                status = engine.check()
                if status.ready:
                    return self._writer(engine, status.model)
        return None

    def _writer(self, engine: Engine, model: str) -> Writer:
        self._tried.add(engine.name)
        return Writer(engine.chat_model(), engine.name, model, engine.context_window())
