"""The command ``ask``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from app.cli.common import add_collection, add_json, print_json, run
from app.errors import UsageError

if TYPE_CHECKING:
    from app.cli.common import Commands


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    ask = commands.add_parser("ask", help="an answer with citations")
    ask.add_argument("question", metavar="QUESTION")
    ask.add_argument("--engine", metavar="NAME", help="answer with this engine (see `engines`)")
    ask.add_argument("--no-documents", action="store_true", help="ask the engine alone, without documents")
    ask.set_defaults(command=_ask)
    add_json(ask)
    add_collection(ask)


def _ask(args: argparse.Namespace) -> int:
    if args.no_documents and args.collection:
        raise UsageError("--collection and --no-documents exclude each other.", "Give one of them.")

    def show(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    answer = run(
        "ask",
        question=args.question,
        engine=args.engine,
        collection=args.collection,
        documents=not args.no_documents,
        on_text=(lambda text: None) if args.json else show,
    )
    if args.json:
        print_json(answer)
        return 0
    print()
    # Several quotes of one passage are several citations; people want its name once.
    for number, doc, page in dict.fromkeys((item["n"], item["doc"], item["page"]) for item in answer["citations"]):
        print(f"[{number}] {doc}{f', page {page}' if page else ''}")
    model = f" · {answer['model']}" if answer["model"] else ""
    incomplete = "" if answer["complete"] else " · the answer is incomplete"
    sys.stderr.write(f"({answer['engine'] or 'no engine was asked'}{model}{incomplete})\n")
    return 0
