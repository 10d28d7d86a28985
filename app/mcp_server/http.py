"""The MCP server over HTTP ("streamable HTTP"), as an app to mount. Who may come in is decided in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from app.errors import ServerStopping
from app.mcp_server.call import LEAVING, Run

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

_SESSIONS = 1000
"""Clients at once; one that has been still for half an hour is forgotten, and begins anew by itself."""


class McpDoor:
    """An ASGI app for every method of one path; it answers while :meth:`open` is entered.

    It checks neither keys nor the headers Host and Origin.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._sessions: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """For the lifetime of the server around it; may be entered again afterwards."""
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        from app.mcp_server.server import build

        sessions = StreamableHTTPSessionManager(build(self._run), max_sessions=_SESSIONS)
        async with sessions.run():
            self._sessions = sessions
            try:
                yield
            finally:
                self._sessions = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._sessions is None:
            await JSONResponse({"error": ServerStopping().as_dict()}, status_code=503)(scope, receive, send)
            return
        with ExitStack() as leaving:
            await self._sessions.handle_request({**scope, LEAVING: leaving}, receive, send)
