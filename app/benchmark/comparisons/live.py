"""The engine that answers the product's readers, which may have to make room while others are measured."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.errors import HotswapError

if TYPE_CHECKING:
    from app.engines.switch import EngineSwitch
    from app.schema import OnProgress

log = logging.getLogger(__name__)

STAND_IN = "extractive"
"""Answers meanwhile: it takes no memory."""


class LiveEngine:
    """What ``switch`` has answer; ``ending`` tells whether the product is being stopped."""

    def __init__(self, switch: EngineSwitch, ending: Callable[[], bool] = lambda: False) -> None:
        self._switch = switch
        self._ending = ending
        self._before: tuple[str, str | None] | None = None

    def set_aside(self, on_progress: OnProgress) -> str:
        """Close what is loaded in this process; the name of its model, or an empty text where nothing was.

        Raises:
            EngineTimeout: somebody goes on reading from it.
        """
        switch = self._switch
        loaded = [engine for engine in switch.engines.values() if engine.in_process and engine.loaded]
        if not loaded:
            return ""
        before, name = (switch.wanted, switch.wanted_model), f"{loaded[0].name} ({loaded[0].check().model})"
        switch.use(STAND_IN, None, on_progress)
        self._before = before
        return name

    def bring_back(self) -> str:
        """As it was before; why not, where that fails. Whoever chose another engine meanwhile keeps it."""
        before, self._before = self._before, None
        if before is None or self._switch.wanted != STAND_IN or self._ending():
            return ""
        try:
            self._switch.use(*before)
        except HotswapError as error:
            log.warning("%s does not answer again: %s", before[0], error)
            return str(error)
        return ""
