"""The command ``mcp``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from app.cli.common import add_collection

if TYPE_CHECKING:
    from app.cli.common import Commands


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    mcp = commands.add_parser("mcp", help="the documents for assistants such as Claude Desktop, over stdin and stdout")
    mcp.set_defaults(command=_mcp)
    add_collection(mcp)


def _mcp(args: argparse.Namespace) -> int:
    from app.config import get_settings
    from app.logs import set_up_logging
    from app.mcp_server.stdio import serve

    settings = get_settings()
    set_up_logging(settings)
    serve(settings, args.collection)
    return 0
