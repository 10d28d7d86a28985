"""Who writes an answer: the live engine, and the next ready one when it fails before its first word."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from app.conversation.request import Writer
from app.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from app.engines.pool import Lease
    from app.engines.switch import EngineSwitch

log = logging.getLogger(__name__)


class WriterLine:
    """The engines in line for one answer. The one that writes is kept open until its Writer is released."""

    def __init__(self, switch: EngineSwitch, wanted: str | None) -> None:
        self._switch = switch
        self._wanted = wanted
        self._tried: set[str] = set()

    def first(self) -> Writer:
        """The engine asked for, else the live one; the next ready one where that cannot answer."""
        lease = self._switch.lease(self._wanted)
        self._tried |= {status.name for status in lease.skipped}
        return self._writer(lease)

    def only(self) -> Writer:
        """The engine asked for, and nobody in its stead. Raises EngineUnavailable with why it cannot answer."""
        lease = self._switch.lease(self._wanted)
        if self._wanted and lease.engine.name != self._wanted:
            lease.release()
            status = next(skipped for skipped in lease.skipped if skipped.name == self._wanted)
            raise EngineUnavailable(f"{self._wanted} cannot answer: {status.detail}", status.hint)
        return self._writer(lease)

    def after(self, error: EngineError) -> Writer | None:
        """Who writes instead of the one that failed with ``error``; None when nobody is left."""
        while (lease := self._switch.lease_instead(self._tried)) is not None:
            try:
                return self._writer(lease)
            except EngineError as failure:
                log.warning("%s cannot take over either: %s", lease.engine.name, failure)
        return None

    def _writer(self, lease: Lease) -> Writer:
        engine = lease.engine
        self._tried.add(engine.name)
        try:
            self._switch.load(engine)
            return Writer(
                engine.chat_model(), engine.name, engine.check().model, engine.context_window(), lease.release
            )
        except BaseException:
            lease.release()
            raise
