"""One request of a client: the operations that it runs, the progress it is told, and its early end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from app.jobs import Cancelled
from app.progress import described

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

    Context = ServerRequestContext[Any, Any]

Event = dict[str, Any]
Run = Callable[[str, dict[str, Any]], Iterator[Event]]
"""Runs an operation of :mod:`app.operations` by its name, and yields its events."""

LEAVING = "hotswap.leaving"
"""Where the scope of an HTTP request holds an ExitStack that is closed when its client has gone, or has the answer."""

_SECONDS_BETWEEN_REPORTS = 0.2


class Call:
    """Runs operations for a client. Cancelled, or left by the client, it stops them at their next event."""

    def __init__(self, context: Context, run: Run, collection: str | None) -> None:
        self.lines: list[dict[str, Any]] = []
        """The lines among the events."""
        self._context = context
        self._run = run
        self._collection = collection
        self._characters = 0
        self._reports = 0
        self._last = 0.0

    async def run(self, operation: str, collection: str | None = None, **args: Any) -> Any:
        """The operation's result; ``collection`` is the default one unless named. Raises as the operation does."""
        loop = asyncio.get_running_loop()
        inbox: asyncio.Queue[Event | BaseException] = asyncio.Queue()
        stop = threading.Event()
        asked = {"collection": collection or self._collection, **args}

        def post(item: Event | BaseException) -> None:
            with suppress(RuntimeError):  # the loop has ended, and nobody waits
                loop.call_soon_threadsafe(inbox.put_nowait, item)

        def work() -> None:
            try:
                with closing(self._run(operation, asked)) as events:  # type: ignore[type-var]
                    for event in events:
                        if stop.is_set():
                            return
                        post(event)
            except BaseException as error:  # handed to the loop that waits
                post(error)

        if self._context.request is not None and (leaving := self._context.request.scope.get(LEAVING)):
            leaving.callback(inbox.put_nowait, Cancelled("The client has left."))
        # A thread of its own: the loop's pool would be full of those that wait for an engine, and would keep the
        # process from ending.
        threading.Thread(target=work, name=f"mcp-{operation}", daemon=True).start()
        try:
            while True:
                item = await inbox.get()
                if isinstance(item, BaseException):
                    raise item
                if "result" in item:
                    return item["result"]
                await self._tell(item)
        finally:
            stop.set()

    async def _tell(self, event: Event) -> None:
        if "line" in event:
            self.lines.append(event["line"])
            return
        if "text" in event:
            self._characters += len(event["text"])
            message = f"answering, {self._characters} characters so far"
        else:
            message = event["note"] if "note" in event else described(event["progress"])
        now = time.monotonic()
        if now - self._last > _SECONDS_BETWEEN_REPORTS:
            self._last = now
            self._reports += 1  # a number that grows is all that the protocol asks for
            await self._context.session.report_progress(self._reports, message=message)
