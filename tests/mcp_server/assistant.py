"""An assistant as Claude Desktop is one: the SDK's own client, on an event loop of its own."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import MCPError, StdioServerParameters
from mcp.client import Client
from mcp_types import CallToolResult
from starlette.applications import Starlette
from starlette.routing import Route

from app.mcp_server.call import Run
from app.mcp_server.http import McpDoor
from tests.product import ROOT, environment, free_port


class Assistant:
    """A connected client."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self._portal = portal
        self.client = client

    def call(self, tool: str, **args: Any) -> CallToolResult:
        """The result of a tool, errors included."""
        return self._portal.call(self.client.call_tool, tool, args)

    def data(self, tool: str, **args: Any) -> dict[str, Any]:
        """The structured result of a call that went well."""
        result = self.call(tool, **args)
        assert not result.is_error, result.content
        return result.structured_content

    def text(self, tool: str, **args: Any) -> str:
        """The readable result of a call that went well."""
        result = self.call(tool, **args)
        assert not result.is_error, result.content
        return result.content[0].text

    def problem(self, tool: str, **args: Any) -> str:
        """What the tool complains of, which is one line."""
        result = self.call(tool, **args)
        assert result.is_error, result.content
        (said,) = result.content
        assert "\n" not in said.text and "Traceback" not in said.text
        return said.text

    def refused(self, method: str, *args: Any, **more: Any) -> MCPError:
        """The protocol's error for a request of the client."""
        try:
            given = self.do(method, *args, **more)
        except MCPError as error:
            return error
        raise AssertionError(f"it answered {given}")

    def do(self, method: str, *args: Any, **more: Any) -> Any:
        """Any other request, by the name of the client's method."""
        return self._portal.call(lambda: getattr(self.client, method)(*args, **more))

    def give_up(self, tool: str, when: Callable[[], bool], **args: Any) -> list[str | None]:
        """Call, and cancel at the first progress ``when`` it is time; the messages of progress until then."""
        told: list[str | None] = []

        async def call_and_cancel() -> None:
            with anyio.fail_after(20), anyio.CancelScope() as scope:

                async def hear(progress: float, total: float | None, message: str | None) -> None:
                    told.append(message)
                    if when():
                        scope.cancel()

                await self.client.call_tool(tool, args, progress_callback=hear)

        self._portal.call(call_and_cancel)
        return told


@contextmanager
def assistant(server: StdioServerParameters | str, mode: str = "auto") -> Iterator[Assistant]:
    """Connected to ``server``; ``legacy`` is the protocol that today's assistants speak."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Client(server, mode=mode)) as client,  # type: ignore[arg-type]
    ):
        yield Assistant(portal, client)


def over_stdio(data: Path, *args: str, **variables: str) -> StdioServerParameters:
    """``python -m app mcp ARGS`` as an assistant's settings name it."""
    return StdioServerParameters(
        command=sys.executable, args=["-m", "app", "mcp", *args], env=environment(data, **variables), cwd=str(ROOT)
    )


@contextmanager
def over_http(run: Run) -> Iterator[str]:
    """The address of a server in this process."""
    door = McpDoor(run)

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with door.open():
            yield

    app = Starlette(routes=[Route("/mcp", endpoint=door)], lifespan=lifespan)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.should_exit = True
        thread.join()
