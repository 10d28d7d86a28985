"""Keeps a vLLM server running: one that ends by itself is started again, but not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.engines.vllm_server import LOOK_SECONDS, PATIENCE, VllmServer
from app.engines.vllm_server_faults import died
from app.engines.vllm_server_plan import ServerPlan
from app.errors import EngineUnavailable, HotswapError
from app.schema import OnProgress

RESTARTS = 3
WINDOW = 600.0
"""So often in so many seconds a server is started again."""
FIRST_PAUSE = 1.0
"""Seconds before the first restart; each further one within the window waits twice as long."""

OnReady = Callable[[int, float], None]
"""Gets the server's process number, and how many seconds it took until it answered."""


class Supervisor:
    """One server at a time. :meth:`stop` may be called from a signal's handler or another thread."""

    def __init__(self, plan: ServerPlan, *, first_pause: float = FIRST_PAUSE, patience: float = PATIENCE) -> None:
        self._plan = plan
        self._first_pause = first_pause
        self._patience = patience
        self._server: VllmServer | None = None
        self._restarts: list[float] = []
        self._stopping = False  # a plain flag: an Event's lock could be held by the code that a signal interrupts

    def run(self, on_progress: OnProgress, on_ready: OnReady, on_note: Callable[[str], None]) -> None:
        """Run the server until :meth:`stop`; no process of it is left then, nor after an error.

        Raises:
            HotswapError: why it could not be started.
            EngineUnavailable: it ended again and again.
        """
        been_ready = False
        while not self._stopping:
            try:
                been_ready |= self._one_life(on_progress, on_ready)
                reason = self._reason()
            except HotswapError as error:
                if self._stopping:
                    return
                if not been_ready:
                    raise
                reason = error.message
            if not self._stopping:
                self._pause(reason, on_note)

    def stop(self) -> None:
        """Have :meth:`run` end the server and return."""
        self._stopping = True
        if self._server is not None:  # so that nobody waits for an answer of its
            self._server.terminate()

    def tail(self, count: int) -> list[str]:
        """The last lines that the server printed."""
        return self._server.log.tail(count) if self._server else []

    def _one_life(self, on_progress: OnProgress, on_ready: OnReady) -> bool:
        """From a server's start to its end; whether it has been ready."""
        begun = time.monotonic()
        server = self._server = VllmServer(self._plan)
        try:
            if not server.wait_until_ready(on_progress, lambda: self._stopping, self._patience):
                return False
            on_ready(server.pid, time.monotonic() - begun)
            while server.ended is None and not self._stopping:
                time.sleep(LOOK_SECONDS)
            return True
        finally:
            server.end()

    def _reason(self) -> str:
        server = self._server
        assert server is not None
        return died(self._plan.name, server.ended or 0, server.log.cause())

    def _pause(self, reason: str, on_note: Callable[[str], None]) -> None:
        now = time.monotonic()
        self._restarts = [when for when in self._restarts if now - when < WINDOW]
        if len(self._restarts) >= RESTARTS:
            raise EngineUnavailable(
                f"The server of {self._plan.name} was started again {RESTARTS} times and ended again. {reason}",
                f"See {self._plan.log_file}.",
            )
        pause = self._first_pause * 2 ** len(self._restarts)
        self._restarts.append(now)
        on_note(f"{reason} It is started again in {pause:g} s ({len(self._restarts)} of {RESTARTS} times).")
        while time.monotonic() - now < pause and not self._stopping:
            time.sleep(min(LOOK_SECONDS, pause))
