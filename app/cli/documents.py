"""The commands on documents: ``ingest``, ``search`` and ``documents``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.common import add_collection, add_json, print_json, run
from app.errors import HotswapError, UsageError

if TYPE_CHECKING:
    from app.cli.common import Commands


def add(commands: Commands) -> None:
    """Add the commands to the parser."""
    ingest = commands.add_parser("ingest", help="read files and folders; only what is new or changed")
    ingest.add_argument("paths", nargs="+", metavar="PATH", help="a file or a folder")
    ingest.set_defaults(command=_ingest)

    search = commands.add_parser("search", help="the passages nearest to a question")
    search.add_argument("question", nargs="?", metavar="QUESTION")
    search.add_argument(
        "--questions", metavar="FILE.jsonl", help='many questions, a line each: {"id": …, "question": …}'
    )
    search.add_argument("-k", type=int, default=10, help="how many passages (default %(default)s)")
    search.set_defaults(command=_search)

    documents = commands.add_parser("documents", help="list or remove documents")
    documents.add_argument("action", nargs="?", choices=("list", "remove"), default="list")
    documents.add_argument("docs", nargs="*", metavar="DOC", help="names as `list` shows them")
    documents.set_defaults(command=_documents)

    for command in (ingest, search, documents):
        add_json(command)
        add_collection(command)


def _ingest(args: argparse.Namespace) -> int:
    paths = [str(Path(path).expanduser().absolute()) for path in args.paths]
    report = run("ingest", paths=paths, collection=args.collection)
    if args.json:
        print_json(report)
    else:
        counts = ", ".join(f"{report[key]} {key}" for key in ("added", "updated", "unchanged", "removed"))
        print(f"{counts}; {report['chunks']} chunks written in {report['seconds']:.1f} s")
    for failure in report["failed"]:
        sys.stderr.write(f"not read: {failure['path']}: {failure['error']} {failure['hint']}\n")
    return 1 if report["failed"] else 0


def _search(args: argparse.Namespace) -> int:
    if (args.question is None) == (args.questions is None):
        raise UsageError(
            "search takes either a QUESTION or --questions FILE.jsonl.", "See `python -m app search --help`."
        )
    if args.k < 1:
        raise UsageError(f"-k {args.k} is too few.", "Ask for at least 1 passage.")
    questions = [{"id": None, "question": args.question}] if args.question is not None else _questions(args.questions)
    show = print_json if args.json else _print_passages
    run("search", questions=questions, k=args.k, collection=args.collection, on_line=show)
    return 0


def _questions(path: str) -> list[dict[str, Any]]:
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise HotswapError(
            f"{path} cannot be read: {error}.", "Name a UTF-8 file with a JSON object on each line."
        ) from None
    questions = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            questions.append({"id": item.get("id"), "question": str(item["question"])})
        except (ValueError, KeyError, AttributeError, TypeError):
            raise HotswapError(
                f"{path}, line {number} is no question.",
                'Write a line like {"id": "1", "question": "How …?"}.',
            ) from None
    return questions


def _print_passages(line: dict[str, Any]) -> None:
    if not line["passages"]:
        print("Nothing found.")
    for number, passage in enumerate(line["passages"], 1):
        page = f", page {passage['page']}" if passage["page"] else ""
        heading = f" ({passage['heading']})" if passage["heading"] else ""
        print(f"{number}. {passage['doc']}{page}{heading}\n   {' '.join(passage['text'].split())[:300]}\n")


def _documents(args: argparse.Namespace) -> int:
    if args.action == "remove":
        if not args.docs:
            raise UsageError("remove needs the names of documents.", "`python -m app documents` lists them.")
        removed = run("remove", docs=args.docs, collection=args.collection)
        if args.json:
            print_json(removed)
        else:
            print("\n".join(f"removed {doc}" for doc in removed["removed"]))
        return 0
    if args.docs:
        raise UsageError("list takes no names.", "`documents remove DOC` removes one.")
    listed = run("documents", collection=args.collection)
    if args.json:
        print_json(listed)
    else:
        for document in listed["documents"]:
            print(f"{document['doc']}  ({document['size']:,} bytes, {document['chunks']} chunks)")
        if not listed["documents"]:
            print("No documents yet; `python -m app ingest FOLDER` reads some.")
    return 0
