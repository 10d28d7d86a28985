"""Something small that is done again and again beside a run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Ticker:
    """Does ``work`` every ``period`` seconds in a thread of its own, and once more at the end.

    Whatever goes wrong in ``work`` stays here: what is measured goes on.
    """

    def __init__(self, name: str, period: float, work: Callable[[], None]) -> None:
        self._period, self._work = period, work
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def end(self, patience: float) -> bool:
        """Stop; False where the last work hangs and is not over within ``patience`` seconds."""
        self._over.set()
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        due = time.monotonic() + self._period
        while not self._over.wait(max(0.0, due - time.monotonic())):
            self._do()
            due = max(due + self._period, time.monotonic())  # what was missed is not made up for
        self._do()

    def _do(self) -> None:
        try:
            self._work()
        except Exception:  # a driver or a server that fails must not end what is being measured
            log.debug("a sample was not taken", exc_info=True)
