"""The MCP server over stdin and stdout, as an assistant on this machine starts it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from mcp.server.stdio import stdio_server

from app.mcp_server.folder import Folder
from app.mcp_server.server import build

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from app.config import Settings

log = logging.getLogger(__name__)


def serve(settings: Settings, collection: str | None) -> None:
    """Serve until the client closes stdin, Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    if sys.stdin.isatty():
        sys.stderr.write("Hotswap speaks MCP here, for an assistant that starts it: see docs/mcp.md. Ctrl-C ends it.\n")
    try:
        with closing(Folder(settings)) as folder:
            asyncio.run(_serve(build(folder.run, collection)))
    except* BrokenPipeError:
        log.info("the client has left")
    except* KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # all is given up; whoever is in a hurry may have it


async def _serve(server: Server[Any]) -> None:
    lines: Any = _lines()  # all that the SDK does with a file is to iterate over it
    async with stdio_server(stdin=lines) as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def _lines() -> AsyncIterator[str]:
    """The lines of stdin. The thread that reads them may be left waiting; the SDK's own would hold up Ctrl-C."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    wire = os.fdopen(os.dup(0), encoding="utf-8", errors="replace")
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)  # what this process starts shall not read the client's words

    def read() -> None:
        with suppress(RuntimeError):  # the loop has ended
            for line in wire:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while (line := await lines.get()) is not None:
        yield line
