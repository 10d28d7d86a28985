"""The command ``vllm-serve``: a vLLM server from the same settings, kept running until Ctrl-C."""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import socket
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app.cli.common import add_json, print_json
from app.errors import HotswapError, UsageError

if TYPE_CHECKING:
    from app.cli.common import Commands
    from app.config import Settings
    from app.engines.vllm_server_plan import ServerPlan

TAIL = 20
"""How many lines of a failed server's log are shown."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    serve = commands.add_parser("vllm-serve", help="start a vLLM server from the same settings and keep it running")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    serve.add_argument("--port", type=int, default=8000, help="port to listen on (default %(default)s)")
    serve.add_argument("--model", metavar="PATH_OR_ID", help="the model, instead of VLLM_MODEL_PATH")
    serve.add_argument("--api-key", metavar="KEY", help="what clients have to bring, instead of VLLM_API_KEY")
    serve.set_defaults(command=_serve)
    add_json(serve)


def _serve(args: argparse.Namespace) -> int:
    from app.config import get_settings
    from app.engines.vllm_server_plan import plan
    from app.logs import set_up_logging

    given = {"vllm_model_path": args.model, "vllm_api_key": args.api_key}
    settings = get_settings().model_copy(update={name: value.strip() for name, value in given.items() if value})
    set_up_logging(settings)
    _check_address(args.host, args.port, settings.vllm_api_key)
    server = plan(settings, args.host, args.port)
    _check_port(args.host, args.port)
    _announce(server, settings)
    _supervise(server, as_json=args.json)
    return 0


def _check_address(host: str, port: int, key: str) -> None:
    """Raises UsageError: no address, no port, or a door that strangers could enter."""
    if not 1 <= port <= 65535:
        raise UsageError(f"--port {port} is no port.", "Use a number from 1 to 65535.")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise UsageError(f"{host} is no address to listen on.", "Use 127.0.0.1, or 0.0.0.0 with a key.") from None
    if not loopback and not key:
        raise UsageError(
            f"Listening on {host} would let other machines in, and there is no key to keep strangers out.",
            "Set VLLM_API_KEY, or use 127.0.0.1.",
        )


def _check_port(host: str, port: int) -> None:
    from app.engines.vllm_server_faults import port_in_use

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise port_in_use(port, error.strerror or str(error)) from None


def _announce(server: ServerPlan, settings: Settings) -> None:
    if server.fit is not None:
        _note(f"{server.name} {server.fit.sentence()}.{'' if server.fit.fits else ' That is too little now.'}")
    if server.values:
        profile = f" (VLLM_PROFILE={settings.vllm_profile})" if settings.vllm_profile else ""
        _note(f"vLLM gets {', '.join(f'{name}={value}' for name, value in server.values.items())}{profile}.")
    if not server.converses:
        _note(f"{server.name} has no chat template: it can continue texts, but not answer questions.")
    _note(f"The server's log is {server.log_file}.")


def _supervise(server: ServerPlan, *, as_json: bool) -> None:
    from app.engines.vllm_supervisor import Supervisor
    from app.progress import ProgressLine

    supervisor = Supervisor(server)
    # Both leave the work to run(), which ends the server before the command does.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop())

    with ProgressLine(sys.stderr) as progress:

        def ready(pid: int, seconds: float) -> None:
            progress.clear()
            line = {"url": server.url, "model": server.name, "pid": pid, "seconds": round(seconds, 1)}
            _ready(line, server.key, as_json=as_json)

        def note(text: str) -> None:
            progress.clear()
            _note(text)

        try:
            supervisor.run(lambda step: progress.show(asdict(step)), ready, note)
        except HotswapError:
            progress.clear()
            sys.stderr.writelines(f"  {line}\n" for line in supervisor.tail(TAIL))
            raise
    sys.stderr.write("\nstopped\n")


def _ready(line: dict[str, Any], key: str, *, as_json: bool) -> None:
    if as_json:
        print_json(line)
        return
    print(f"{line['model']} answers at {line['url']} after {line['seconds']:.0f} s. Ctrl-C ends it. To use it:")
    secret = "VLLM_API_KEY=… " if key else ""
    print(f"  VLLM_BASE_URL={line['url']} {secret}LLM_ENGINE=vllm_openai make run", flush=True)


def _note(text: str) -> None:
    sys.stderr.write(f"hotswap: {text}\n")
