"""The change to another engine while answers are being written.

``use`` checks, loads and warms the new engine while the old one answers; then the old one is closed, as soon as the
last answer that it writes has ended. Where both do not fit into memory, the old one is drained and closed first, and
comes back if the new one fails.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.engines.pool import EnginePool
from app.engines.registry import AUTO, check_name, choose, create, with_model
from app.errors import EngineError, EngineTimeout, EngineUnavailable, OutOfMemory
from app.schema import EngineStatus, OnProgress, Progress

if TYPE_CHECKING:
    from app.config import Settings
    from app.engines.base import Engine
    from app.models import Fit

log = logging.getLogger(__name__)

DRAIN_SECONDS = 600.0
"""How long a switch waits for the answers under way before it gives up or leaves the closing to the last of them."""
SMALLER = "Choose a smaller model or a shorter context (max_model_len), or close other programs."


class EngineSwitch(EnginePool):
    """The engines, and the change of the live one. Safe from several threads; one change at a time."""

    def __init__(self, settings: Settings, make: Callable[[str, Settings], Engine] = create) -> None:
        super().__init__(settings, make)
        self._one_at_a_time = threading.Lock()

    def use(self, name: str, model: str | None = None, on_progress: OnProgress = lambda progress: None) -> EngineStatus:
        """Make ``name`` the live engine, with ``model`` or the one of the settings; returns once it answers.

        ``auto`` takes the first that is ready, and goes on doing so.

        The answers under way go on with their own engine. Progress has the stages ``checking``, ``loading``,
        ``draining`` (``done`` answers still under way) and ``closing``.

        Raises:
            ConfigError: no engine has this name, or it takes no model.
            EngineError: it cannot be used; the engine before it goes on answering.
        """
        wanted = check_name(name)
        settings = with_model(self._settings, wanted, model)
        if settings == self._settings:
            model = None  # it is the one of the settings anyway
        with self._one_at_a_time:
            on_progress(Progress("checking", item=wanted))
            name = choose(AUTO, self.engines).engine.name if wanted == AUTO else wanted
            engine = self._one_of(name, settings, model)
            status = engine.check()
            if not status.ready:
                raise EngineUnavailable(f"{name} cannot answer: {status.detail}", status.hint)
            if not engine.loaded:
                self._make_room_and_load(engine, on_progress)
            status = engine.check()
            replaced = self._go_live(engine, wanted, model)
            log.info("engine %s answers now%s", name, f" with {status.model}" if status.model else "")
            try:
                ended = not self._still_reading(replaced, on_progress)
            except Exception:  # who cancels now is too late: the new one answers, and others read from it
                ended = False
            if not ended:
                log.info("answers of %s go on; it is closed after the last one", replaced[0].name)
            return status

    def _one_of(self, name: str, settings: Settings, model: str | None) -> Engine:
        """The engine that is there where it is that model and can answer, else another one."""
        engine, other = self.engines[name], self._make(name, settings)
        now = engine.check()
        same = self._models.get(name) == model or (not engine.in_process and now.model == other.check().model)
        return engine if now.ready and same else other

    def memory(self, name: str, model: str | None = None) -> Fit | None:
        """What loading ``name`` would take, and what is free; None where that is another program's affair.

        Raises:
            ConfigError: no engine has this name, or it takes no model.
        """
        return self._make(name, with_model(self._settings, check_name(name, auto=False), model)).memory()

    def _make_room_and_load(self, engine: Engine, on_progress: OnProgress) -> None:
        """Beside the loaded engines if there is room, else in their place: then nobody gets in until one is live."""
        fit = engine.memory()
        if fit is None or fit.fits:
            try:
                self._load_whole(engine, on_progress)
                return
            except OutOfMemory:
                if not self._holders(engine):
                    raise
        holders = self._holders(engine)
        if fit is not None and (not holders or fit.need.total > fit.memory.total):
            raise OutOfMemory(f"{engine.name} does not fit this machine: it {fit.sentence()}.", SMALLER)
        try:
            self._drain(holders, on_progress)
            for holder in holders:
                on_progress(Progress("closing", item=holder.name))
                holder.close()
            self._load_whole(engine, on_progress)
        except BaseException as error:
            try:
                self._restore(holders, error)
            finally:
                self._resume()
            raise

    def _load_whole(self, engine: Engine, on_progress: OnProgress) -> None:
        """Loaded, or as it was before."""
        try:
            on_progress(Progress("loading", item=engine.name))
            self.load(engine, on_progress)
        except BaseException:
            engine.close()
            raise

    def _holders(self, but: Engine) -> list[Engine]:
        others = [engine for engine in self.engines.values() if engine is not but]
        return [engine for engine in others if engine.takes_memory and engine.loaded]

    def _drain(self, engines: list[Engine], on_progress: OnProgress) -> None:
        self._pause()
        if self._still_reading(engines, on_progress):
            raise EngineTimeout(
                f"The answers of {engines[0].name} did not end within {DRAIN_SECONDS:g} seconds.",
                "Stop them, or try again later.",
            )

    def _restore(self, engines: list[Engine], reason: BaseException) -> None:
        """As it was before. Raises EngineError that names both failures where that fails as well."""
        for engine in engines:
            try:
                self.load(engine)
            except EngineError as error:
                raise EngineUnavailable(
                    f"{reason} And {engine.name} could not be loaded again: {error.message}", error.hint
                ) from reason

    def _still_reading(self, engines: list[Engine], on_progress: OnProgress) -> bool:
        """Waits until nobody reads from ``engines`` and they are closed; whether that is not so after DRAIN_SECONDS."""
        end = time.monotonic() + DRAIN_SECONDS
        while (count := self._reading(engines)) is not None:
            if time.monotonic() > end:
                return True
            on_progress(Progress("draining", done=count, item=engines[0].name))
            self._wait(0.2)
        return False
