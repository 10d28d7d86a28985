"""Starts the server: checks first, in one line each, what would otherwise fail deep inside a web framework."""

from __future__ import annotations

import os
import signal
import socket
import sys

from app.api.address import check_address, url_of
from app.config import ROOT, Settings
from app.engines.routing.routes import check_not_own, routes_of
from app.errors import PortInUse, UsageError
from app.owner import Ownership

STOP_SECONDS = 75
"""For connections to end when the server is stopped; answers have less, so this is for readers who read no more."""


def serve(settings: Settings, host: str, port: int, *, page: bool = True, browser: bool = True) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        UsageError: the address reaches beyond this machine and there are no keys, or the port is no port.
        PortInUse: something else listens there.
        DataFolderBusy: a server (or a command) already runs on this data folder.
        DataFolderError: the data folder cannot be used.
        ConfigError: a model server's address is this server's own.
    """
    check_address(host, settings.keys)
    if not 1 <= port <= 65535:
        raise UsageError(f"--port {port} is no port.", "Use a number from 1 to 65535.")
    check_not_own(routes_of(settings), url_of(host, port))
    ownership = Ownership(settings.data_dir)
    ownership.acquire()  # names the owner now; the server takes it again when it starts
    ownership.release()
    _check_port(host, port)
    # uvicorn shuts down gracefully and then raises the signal again; from here it is an ordinary end.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        if page:
            _serve_page(settings, host, port, browser)
        else:
            _serve_routes(settings, host, port)
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")


def _serve_page(settings: Settings, host: str, port: int, browser: bool) -> None:
    from streamlit.web.server.starlette import starlette_server

    for_uvicorn = starlette_server._get_uvicorn_config_kwargs  # no setting of Streamlit's leads to this one
    starlette_server._get_uvicorn_config_kwargs = lambda: {
        **for_uvicorn(), "timeout_graceful_shutdown": STOP_SECONDS,
    }  # fmt: skip
    sys.argv = [str(ROOT / "streamlit_app.py")]  # Streamlit looks for its config beside the script that runs
    from streamlit_app import app

    app.run(
        config={
            "server.address": host,
            "server.port": port,
            "server.headless": not browser,
            "server.maxUploadSize": settings.max_upload_mb,
            "server.fileWatcherType": "none",
            "browser.gatherUsageStats": False,
        }
    )


def _serve_routes(settings: Settings, host: str, port: int) -> None:
    import uvicorn
    from starlette.applications import Starlette

    from app.api.lifespan import lifespan
    from app.api.routes import MIDDLEWARE, ROUTES

    os.environ["HOTSWAP_URL"] = url_of(host, port)
    if settings.log_format == "text":  # for people; where programs read the log it says so itself
        sys.stderr.write(f"Hotswap listens on {os.environ['HOTSWAP_URL']}\n")
    uvicorn.run(
        Starlette(routes=ROUTES, middleware=MIDDLEWARE, lifespan=lifespan),
        timeout_graceful_shutdown=STOP_SECONDS,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
    )


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse(
                f"Port {port} on {host} cannot be used: {error.strerror}.",
                f"Choose another one: `make run PORT={port + 1}` or `python -m app serve --port {port + 1}`.",
            ) from None
