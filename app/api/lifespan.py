"""From the server's first moment to its last: one service, announced to the command line."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.api.address import check_address, url_of
from app.api.doors import mcp
from app.config import Settings, get_settings
from app.engines.routing.routes import check_not_own, routes_of
from app.errors import HotswapError
from app.logs import set_up_logging
from app.service import Service, set_current

log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Open the service, write down its address, and close it when the server ends."""
    try:
        settings = get_settings()
        set_up_logging(settings)
        url = _url(settings)
        check_not_own(routes_of(settings), url)
        service = Service.open(settings)
    except HotswapError as error:
        # The web framework would print a traceback of every floor above; nothing is open yet, so leave at once.
        sys.stderr.write(f"hotswap: {error}\n")
        sys.stderr.flush()
        os._exit(1)
    service.ownership.announce(url)
    log.info("listens on %s", url)
    set_current(service)
    if "HOTSWAP_URL" in os.environ:  # no page will ask for it
        service.warm_up()
    try:
        async with mcp.open():
            yield
    finally:
        set_current(None)
        service.close()
        log.info("stopped")


def _url(settings: Settings) -> str:
    """Where this machine reaches the server; HOTSWAP_URL is set by ``serve --no-page``, else Streamlit knows.

    Raises:
        UsageError: Streamlit was told to listen beyond this machine, and there are no keys.
    """
    if "HOTSWAP_URL" in os.environ:
        return os.environ["HOTSWAP_URL"]
    from streamlit import config

    host = config.get_option("server.address") or "0.0.0.0"
    check_address(host, settings.keys)
    return url_of(host, config.get_option("server.port"))
