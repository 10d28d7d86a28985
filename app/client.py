"""Runs an operation where it belongs: by the server that owns the data folder, or here when no server runs."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from app.errors import DataFolderBusy, HotswapError
from app.owner import ServerAddress, announced_server

if TYPE_CHECKING:
    from app.config import Settings

_WAIT_FOR_FOLDER = 20.0  # seconds; a server that is starting, or another short command, has the folder


def run(settings: Settings, name: str, args: dict[str, Any]) -> Generator[dict[str, Any]]:
    """The operation's events. Raises what the operation raises; DataFolderBusy when the folder stays taken."""
    deadline = time.monotonic() + _WAIT_FOR_FOLDER
    while True:
        address = announced_server(settings.data_dir)
        if address and _answers(address):
            yield from _remote(address, name, args)
            return
        try:
            yield from _local(settings, name, args)
            return
        except DataFolderBusy:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _local(settings: Settings, name: str, args: dict[str, Any]) -> Iterator[dict[str, Any]]:
    from app.operations import run as run_operation
    from app.service import Service

    with closing(Service.open(settings)) as service, closing(run_operation(service, name, args)) as events:  # type: ignore[type-var]
        yield from events


def _answers(address: ServerAddress) -> bool:
    import httpx

    try:
        return httpx.get(f"{address.url}/health/live", timeout=3, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _remote(address: ServerAddress, name: str, args: dict[str, Any]) -> Iterator[dict[str, Any]]:
    import httpx

    headers = {"Authorization": f"Bearer {address.token}"}
    timeout = httpx.Timeout(None, connect=5)
    try:
        with httpx.stream(
            "POST",
            f"{address.url}/control/{name}",
            json=args,
            headers=headers,
            timeout=timeout,
            trust_env=False,
        ) as response:
            if response.status_code != 200:
                response.read()
                raise HotswapError(
                    f"The server at {address.url} refused the command (HTTP {response.status_code}).",
                    "Restart the server.",
                )
            for line in response.iter_lines():
                event = json.loads(line)
                if "error" in event:
                    raise HotswapError.from_dict(event["error"])
                yield event
                if "result" in event:
                    return
    except httpx.HTTPError as error:
        raise HotswapError(
            f"The server at {address.url} broke off: {error}",
            "See its log; run the command again, what was done is kept.",
        ) from None
    raise HotswapError(
        f"The server at {address.url} stopped in the middle.", "Run the command again; what was done is kept."
    )
