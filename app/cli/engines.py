"""The commands on engines: ``engines``, ``switch`` and ``pull``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from app.cli.common import add_json, print_json, run
from app.config import get_settings
from app.owner import announced_server

if TYPE_CHECKING:
    from app.cli.common import Commands


def add(commands: Commands) -> None:
    """Add the commands to the parser."""
    engines = commands.add_parser("engines", help="which language models are ready, and why not")
    engines.set_defaults(command=_engines)

    switch = commands.add_parser("switch", help="have another engine answer, while the server runs")
    switch.add_argument("name", metavar="NAME", help="an engine (see `engines`), or auto")
    switch.add_argument("--model", metavar="M", help="its model, instead of the one of the settings")
    switch.set_defaults(command=_switch)

    pull = commands.add_parser("pull", help="have Ollama fetch a model")
    pull.add_argument("model", metavar="MODEL", help="such as qwen3:8b")
    pull.set_defaults(command=_pull)

    for command in (engines, switch, pull):
        add_json(command)


def _engines(args: argparse.Namespace) -> int:
    found = run("engines")
    if args.json:
        print_json(found)
        return 0
    for engine in found["engines"]:
        mark = "answers" if engine["name"] == found["engine"] else "ready" if engine["ready"] else "not ready"
        model = f" {engine['model']}" if engine["model"] else ""
        hint = "" if engine["ready"] else engine["hint"]
        print(f"{engine['name']:12} {mark:9}{model}  {engine['detail']} {hint}".rstrip())
    return 0


def _switch(args: argparse.Namespace) -> int:
    status = run("switch", engine=args.name, model=args.model)
    if args.json:
        print_json({"engine": status["name"], "model": status["model"], "detail": status["detail"]})
    else:
        print(f"{status['name']} answers: {status['detail']}")
    if announced_server(get_settings().data_dir) is None:
        sys.stderr.write(
            "hotswap: No server runs, so this only tried the engine."
            f" Set LLM_ENGINE={status['name']} to start with it.\n"
        )
    return 0


def _pull(args: argparse.Namespace) -> int:
    status = run("pull", model=args.model)
    if args.json:
        print_json({"model": args.model, "ready": status["ready"], "detail": status["detail"]})
    else:
        print(f"{args.model} is there.")
    return 0
