"""Which engines are ready, looked up in the background so that no page waits for a server that does not answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.engines.registry import AUTO, MODEL_SETTING, ORDER
from app.errors import EngineError
from app.schema import EngineStatus

if TYPE_CHECKING:
    from app.engines.base import Engine
    from app.models import Fit
    from app.service import Service

log = logging.getLogger(__name__)
_FRESH = 5.0  # seconds until another look is begun
_OLD = 30.0  # seconds after which it is waited for: a server may have come or gone meanwhile


@dataclass(frozen=True)
class Look:
    """What was seen: each engine's state, what loading it would take, and the chat models that Ollama has."""

    states: tuple[EngineStatus, ...]
    fits: Mapping[str, Fit | None]
    ollama_models: tuple[str, ...]


class EngineStates:
    """The last look at every engine."""

    def __init__(self) -> None:
        self._last: Look | None = None
        self._of: tuple[Service, dict[str, Engine]] | None = None  # a switch changes the engines
        self._at = 0.0
        self._looking: threading.Thread | None = None
        self._lock = threading.Lock()

    def known(self, service: Service, patience: float = 0.0) -> Look | None:
        """What was seen last; begins another look when that is a while ago, and waits ``patience`` seconds for it
        when that is long ago.

        None before the first look after the start or a switch has ended, for which it waits as well.
        """
        with self._lock:
            of = (service, service.switch.engines)
            if of != self._of:
                self._of, self._last = of, None
            thread = None
            age = time.monotonic() - self._at
            if self._last is None or age > _FRESH:
                thread = self._look(service)
            if self._last is not None and age <= _OLD:
                return self._last
        if thread is not None:
            thread.join(patience)
        return self._last

    def look_now(self, service: Service) -> None:
        """A fresh look, waited for."""
        with self._lock:
            self._of = (service, service.switch.engines)
            thread = self._look(service)
        thread.join()

    def _look(self, service: Service) -> threading.Thread:
        if self._looking is None or not self._looking.is_alive():
            self._looking = threading.Thread(target=self._work, args=(service,), name="engine-states", daemon=True)
            self._looking.start()
        return self._looking

    def _work(self, service: Service) -> None:
        of = (service, service.switch.engines)
        try:
            fits = {name: service.switch.memory(name) for name in MODEL_SETTING}
            look = Look(tuple(service.engines()), fits, _ollama_models(service))
        except Exception:  # the page then goes on showing what was known
            log.exception("looking at the engines failed")
            return
        with self._lock:
            if of == self._of:
                self._last, self._at = look, time.monotonic()


STATES = EngineStates()
"""Those of this process."""


def answering(states: Sequence[EngineStatus], wanted: str) -> EngineStatus | None:
    """Who answers where ``wanted`` is asked: itself if it is ready, else the first that is."""
    by_name = {status.name: status for status in states}
    names = [name for name in (wanted, *ORDER) if name in by_name and name != AUTO]
    return next((by_name[name] for name in names if by_name[name].ready), None)


def _ollama_models(service: Service) -> tuple[str, ...]:
    from app.engines.ollama_models import list_models

    try:
        return tuple(model.name for model in list_models(service.settings.ollama_base_url) if model.chats)
    except EngineError:  # the engine's own state says why
        return ()
