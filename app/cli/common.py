"""What every command needs: its operation run where it belongs, its progress shown, its result printed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from app.errors import HotswapError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option ``--json``."""
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def add_collection(parser: argparse.ArgumentParser) -> None:
    """The option ``--collection``."""
    parser.add_argument("--collection", metavar="NAME", help="which collection (default: default)")


def run(name: str, **arguments: Any) -> Any:
    """The operation's result; shows progress and prints text and lines as they come."""
    from app import client
    from app.config import get_settings
    from app.logs import set_up_logging
    from app.progress import ProgressLine

    settings = get_settings()
    set_up_logging(settings)
    on_text: Callable[[str], None] = arguments.pop("on_text", lambda text: None)
    on_line: Callable[[dict[str, Any]], None] = arguments.pop("on_line", lambda line: None)
    with ProgressLine(sys.stderr) as progress, closing(client.run(settings, name, arguments)) as events:
        for event in events:
            if "progress" in event:
                progress.show(event["progress"])
            elif "text" in event:
                progress.clear()
                on_text(event["text"])
            elif "line" in event:
                on_line(event["line"])
            elif "note" in event:
                progress.clear()
                sys.stderr.write(f"hotswap: {event['note']}\n")
            else:
                return event["result"]
    raise HotswapError("The command ended without a result.", "Run it again.")


def fail(error: HotswapError, code: int) -> int:
    """Say what went wrong, in one line; ``code`` is the exit code."""
    sys.stderr.write(f"hotswap: {error}\n")
    return code


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()
