"""The command line: ``python -m app COMMAND``.

Results go to stdout (with ``--json`` as JSON), progress, notes and logs to stderr. Exit codes: 0 done, 1 a problem
with what was asked, 2 wrong usage; ``health`` has its own. A command goes through the running server of the data
folder, if there is one.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from app import __version__
from app.cli import ask, bench, documents, engines, eval, health, mcp, vllm_serve
from app.cli.common import fail
from app.errors import HotswapError, UsageError

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    command: Command | None = getattr(args, "command", None)
    if command is None:
        parser.print_help()
        return 0
    try:
        return _run(command, args)
    except UsageError as error:
        return fail(error, 2)
    except HotswapError as error:
        return fail(error, 1)
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        return 130
    except BrokenPipeError:  # the reader of our output has left, as in `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(command: Command, args: argparse.Namespace) -> int:
    from app import offline
    from app.config import get_settings

    offline.prepare(get_settings())
    return command(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app", description="Chat with your own documents on any local language model."
    )
    parser.add_argument("--version", action="version", version=f"Hotswap {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    serve = commands.add_parser("serve", help="the page and the HTTP doors")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    serve.add_argument("--port", type=int, default=8501, help="port to listen on (default %(default)s)")
    serve.add_argument("--no-page", action="store_true", help="the HTTP doors alone")
    serve.add_argument("--headless", action="store_true", help="open no browser")
    serve.set_defaults(command=_serve)
    for part in (documents, ask, eval, bench, engines, health, mcp, vllm_serve):
        part.add(commands)
    return parser


def _serve(args: argparse.Namespace) -> int:
    from app.api.serve import serve
    from app.config import get_settings

    serve(get_settings(), args.host, args.port, page=not args.no_page, browser=not args.headless)
    return 0
