"""Operations on a data folder for a process that stays: by the folder's server, or by a service of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from app import client
from app.errors import DataFolderBusy, ServerStopping
from app.operations import run as run_operation
from app.service import Service

if TYPE_CHECKING:
    from app.config import Settings

IDLE_SECONDS = 10.0
"""Less than a command waits for a folder that is in use (``client.run``)."""
_PATIENCE = 1.0


class Folder:
    """Safe from several threads.

    Its own service stays open between operations, so that the next one finds everything loaded, but not for long:
    who only listens shall not keep a server or another command out of the folder.
    """

    def __init__(self, settings: Settings, idle_seconds: float = IDLE_SECONDS) -> None:
        self._settings = settings
        self._idle_seconds = idle_seconds
        self._service: Service | None = None
        self._users = 0
        self._timer: threading.Timer | None = None
        self._closed = False
        self._changed = threading.Condition()

    def run(self, name: str, args: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The events of one operation. Raises as it does; DataFolderBusy when the folder stays taken."""
        service = self._enter()
        if service is None:
            yield from client.run(self._settings, name, args)
            return
        try:
            with closing(run_operation(service, name, args)) as events:  # type: ignore[type-var]
                yield from events
        finally:
            self._leave()

    def close(self) -> None:
        """Give the folder up; what still runs is given a moment to end."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._users, _PATIENCE)
            self._users = 0
            self._give_up()

    def _enter(self) -> Service | None:
        """The service, kept open until :meth:`_leave`; None where another process has the folder."""
        with self._changed:
            if self._closed:
                raise ServerStopping
            if self._service is None:
                try:
                    self._service = Service.open(self._settings)
                except DataFolderBusy:
                    return None
            self._users += 1
            return self._service

    def _leave(self) -> None:
        with self._changed:
            self._users -= 1
            self._changed.notify_all()
            if self._closed:
                return
            if self._timer:
                self._timer.cancel()
            self._timer = threading.Timer(self._idle_seconds, self._give_up)
            self._timer.daemon = True
            self._timer.start()

    def _give_up(self) -> None:
        with self._changed:
            if self._service is not None and not self._users:
                self._service.close()
                self._service = None
