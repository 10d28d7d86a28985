"""The control door: how a command reaches the server that owns its data folder."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from app.errors import HotswapError, UsageError
from app.operations import run
from app.owner import announced_server
from app.service import current

log = logging.getLogger(__name__)


async def control(request: Request) -> Response:
    """One operation of the command line, as a line of JSON for each event; for the data folder's own user only."""
    service = current()
    address = announced_server(service.settings.data_dir)
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if address is None or not secrets.compare_digest(given.encode(), address.token.encode()):
        return JSONResponse(
            {"error": {"code": "forbidden", "message": "This door is for the command line."}}, status_code=403
        )
    try:
        args = await request.json()
    except ValueError:  # neither JSON nor UTF-8
        args = None
    if not isinstance(args, dict):
        problem = UsageError("The body is no JSON object.", "Send the operation's arguments as one JSON object.")
        return JSONResponse({"error": problem.as_dict()}, status_code=400)
    return StreamingResponse(_events(request.path_params["name"], args), media_type="application/x-ndjson")


async def _events(name: str, args: dict[str, Any]) -> AsyncIterator[str]:
    try:
        events = run(current(), name, args)
        try:
            async for event in iterate_in_threadpool(events):
                yield json.dumps(event, ensure_ascii=False) + "\n"
        finally:
            await run_in_threadpool(events.close)  # type: ignore[attr-defined]  # a client that left stops the work
    except HotswapError as error:
        yield json.dumps({"error": error.as_dict()}, ensure_ascii=False) + "\n"
    except Exception as error:  # the command is told in one line, the log has the rest
        log.exception("operation %s failed", name)
        problem = HotswapError(f"{name} failed: {type(error).__name__}: {error}", "The server's log has the details.")
        yield json.dumps({"error": problem.as_dict()}, ensure_ascii=False) + "\n"
