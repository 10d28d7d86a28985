"""The models on this machine, looked up in the background: that walks the disk and asks the engines."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.inventory import ModelHere
    from app.models import Memory
    from app.service import Service

log = logging.getLogger(__name__)
_FRESH = 60.0  # seconds


@dataclass(frozen=True)
class ModelLook:
    """What was seen: the models, and the memory that a new one would be loaded into."""

    models: tuple[ModelHere, ...]
    memory: Memory


class ModelStates:
    """The last look at the models. Safe from several threads."""

    def __init__(self) -> None:
        self._last: ModelLook | None = None
        self._of: tuple[Any, ...] = ()  # what was so at the last look
        self._at = 0.0
        self._forgotten = 0
        self._looking: threading.Thread | None = None
        self._lock = threading.Lock()

    def known(self, service: Service, patience: float = 0.0) -> ModelLook | None:
        """What was seen last; begins another look when that is a while ago, an engine changed or a fetch ended.

        Waits ``patience`` seconds for a look that it begins; None before the first one has ended.
        """
        with self._lock:
            if self._of and self._of[0] is not service:
                self._last = None
            stale = self._of != self._state(service) or time.monotonic() - self._at > _FRESH
            thread = self._look(service) if stale else None
        if thread is not None:
            thread.join(patience)
        return self._last

    def forget(self) -> None:
        """Have the next :meth:`known` look anew."""
        with self._lock:
            self._forgotten += 1

    def _look(self, service: Service) -> threading.Thread:
        if self._looking is None or not self._looking.is_alive():
            self._looking = threading.Thread(target=self._work, args=(service,), name="model-states", daemon=True)
            self._looking.start()
        return self._looking

    def _work(self, service: Service) -> None:
        from app.models import free_memory

        of = self._state(service)
        try:
            look = ModelLook(tuple(service.models.here()), free_memory())
        except OSError as error:  # such as a file that a fetch moved just now; the next look is soon
            log.warning("looking at the models failed: %s", error)
            return
        except Exception:  # the page then goes on showing what was known
            log.exception("looking at the models failed")
            return
        with self._lock:
            self._last, self._of, self._at = look, of, time.monotonic()

    def _state(self, service: Service) -> tuple[Any, ...]:
        ended = [job.id for job in service.models.jobs() if not job.running]
        return service, service.switch.engines, ended, self._forgotten


MODELS = ModelStates()
"""Those of this process."""
