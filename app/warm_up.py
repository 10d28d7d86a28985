"""Loading what the first answer needs before anybody asks."""

from __future__ import annotations

import gc
import logging
import threading
from typing import TYPE_CHECKING

from app.errors import HotswapError

if TYPE_CHECKING:
    from app.engines.switch import EngineSwitch
    from app.knowledge.library import Knowledge

log = logging.getLogger(__name__)


class WarmUp:
    """Of the engine that answers and of the search; in a thread of its own, once."""

    def __init__(self, switch: EngineSwitch, knowledge: Knowledge) -> None:
        self._switch = switch
        self._knowledge = knowledge
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._lock = threading.Lock()

    @property
    def done(self) -> bool:
        """Whether the first question will find everything loaded."""
        return self._thread is not None and not self._thread.is_alive()

    def start(self) -> None:
        """Returns at once; does nothing the second time."""
        with self._lock:
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._run, name="warm-up", daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> None:
        """Until it is done, at most so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def stop(self) -> None:
        """Returns at once; nothing further is begun, and what fails from now on is nobody's trouble."""
        with self._lock:
            self._stopped = True

    def _run(self) -> None:
        try:
            with self._switch.lease() as engine:
                self._switch.load(engine)
            for name in self._knowledge.names():
                retriever = self._knowledge.retriever(name)
                for text in ("warm up", "预热"):  # each language loads parts of its own
                    if self._stopped:
                        return
                    retriever.search(text, 1)
            gc.collect()
            gc.freeze()  # what is loaded now stays; collections need not walk through it again and again
        except HotswapError as error:
            if not self._stopped:
                log.warning("warm-up: %s", error)
        except Exception:  # a failed warm-up only makes the first answer slower; that answer will say what is wrong
            if not self._stopped:
                log.exception("warm-up failed")
