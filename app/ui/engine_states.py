"""Which engines are ready, looked up in the background so that no page waits for a server that does not answer."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from app.schema import EngineStatus

if TYPE_CHECKING:
    from app.service import Service

log = logging.getLogger(__name__)
_FRESH = 5.0  # seconds


class EngineStates:
    """The last look at every engine."""

    def __init__(self) -> None:
        self._states: tuple[EngineStatus, ...] | None = None
        self._service: Service | None = None
        self._at = 0.0
        self._looking: threading.Thread | None = None
        self._lock = threading.Lock()

    def known(self, service: Service) -> tuple[EngineStatus, ...] | None:
        """What was seen last, None before the first look has ended; begins another look when that is a while ago."""
        with self._lock:
            if service is not self._service:
                self._service, self._states = service, None
            if self._states is None or time.monotonic() - self._at > _FRESH:
                self._look(service)
            return self._states

    def look_now(self, service: Service) -> None:
        """A fresh look, waited for."""
        with self._lock:
            thread = self._look(service)
        thread.join()

    def _look(self, service: Service) -> threading.Thread:
        if self._looking is None or not self._looking.is_alive():
            self._looking = threading.Thread(target=self._work, args=(service,), name="engine-states", daemon=True)
            self._looking.start()
        return self._looking

    def _work(self, service: Service) -> None:
        try:
            states = tuple(service.engines())
        except Exception:  # the sidebar then goes on showing what was known
            log.exception("looking at the engines failed")
            return
        with self._lock:
            if service is self._service:
                self._states, self._at = states, time.monotonic()


STATES = EngineStates()
"""Those of this process."""
