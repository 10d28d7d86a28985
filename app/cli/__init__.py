"""The command line: ``python -m app COMMAND``.

Results go to stdout (with ``--json`` as JSON), progress, notes and logs to stderr. Exit codes: 0 done, 1 a problem
with what was asked, 2 wrong usage. A command goes through the running server of the data folder, if there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app import __version__
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
        return command(args)
    except UsageError as error:
        return _fail(error, 2)
    except HotswapError as error:
        return _fail(error, 1)
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        return 130
    except BrokenPipeError:  # the reader of our output has left, as in `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _fail(error: HotswapError, code: int) -> int:
    sys.stderr.write(f"hotswap: {error}\n")
    return code


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

    ask = commands.add_parser("ask", help="an answer with citations")
    ask.add_argument("question", metavar="QUESTION")
    ask.add_argument("--engine", metavar="NAME", help="answer with this engine (see `engines`)")
    ask.add_argument("--no-documents", action="store_true", help="ask the engine alone, without documents")
    ask.set_defaults(command=_ask)

    documents = commands.add_parser("documents", help="list or remove documents")
    documents.add_argument("action", nargs="?", choices=("list", "remove"), default="list")
    documents.add_argument("docs", nargs="*", metavar="DOC", help="names as `list` shows them")
    documents.set_defaults(command=_documents)

    engines = commands.add_parser("engines", help="which language models are ready, and why not")
    engines.set_defaults(command=_engines)

    for command in (ingest, search, ask, documents, engines):
        command.add_argument("--json", action="store_true", help="JSON on stdout")
    for command in (ingest, search, ask, documents):
        command.add_argument("--collection", metavar="NAME", help="which collection (default: default)")
    return parser


def _serve(args: argparse.Namespace) -> int:
    from app.api.serve import serve
    from app.config import get_settings

    serve(get_settings(), args.host, args.port, page=not args.no_page, browser=not args.headless)
    return 0


def _run(name: str, **arguments: Any) -> Any:
    """The operation's result; shows progress and prints text and lines as they come."""
    from app import client
    from app.config import get_settings
    from app.logs import set_up_logging
    from app.progress import ProgressLine

    settings = get_settings()
    set_up_logging(settings)
    on_text: Callable[[str], None] = arguments.pop("on_text", lambda text: None)
    on_line: Callable[[dict[str, Any]], None] = arguments.pop("on_line", lambda line: None)
    with ProgressLine(sys.stderr) as progress:
        for event in client.run(settings, name, arguments):
            if "progress" in event:
                progress.show(event["progress"])
            elif "text" in event:
                on_text(event["text"])
            elif "line" in event:
                on_line(event["line"])
            elif "note" in event:
                progress.clear()
                sys.stderr.write(f"hotswap: {event['note']}\n")
            else:
                return event["result"]
    raise HotswapError("The command ended without a result.", "Run it again.")


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _ingest(args: argparse.Namespace) -> int:
    paths = [str(Path(path).expanduser().absolute()) for path in args.paths]
    report = _run("ingest", paths=paths, collection=args.collection)
    if args.json:
        _print_json(report)
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
    show = _print_json if args.json else _print_passages
    _run("search", questions=questions, k=args.k, collection=args.collection, on_line=show)
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


def _ask(args: argparse.Namespace) -> int:
    if args.no_documents and args.collection:
        raise UsageError("--collection and --no-documents exclude each other.", "Give one of them.")

    def show(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    answer = _run(
        "ask",
        question=args.question,
        engine=args.engine,
        collection=args.collection,
        documents=not args.no_documents,
        on_text=(lambda text: None) if args.json else show,
    )
    if args.json:
        _print_json(answer)
        return 0
    print()
    # Several quotes of one passage are several citations; people want its name once.
    for number, doc, page in dict.fromkeys((item["n"], item["doc"], item["page"]) for item in answer["citations"]):
        print(f"[{number}] {doc}{f', page {page}' if page else ''}")
    model = f" · {answer['model']}" if answer["model"] else ""
    incomplete = "" if answer["complete"] else " · the answer is incomplete"
    sys.stderr.write(f"({answer['engine'] or 'no engine was asked'}{model}{incomplete})\n")
    return 0


def _documents(args: argparse.Namespace) -> int:
    if args.action == "remove":
        if not args.docs:
            raise UsageError("remove needs the names of documents.", "`python -m app documents` lists them.")
        removed = _run("remove", docs=args.docs, collection=args.collection)
        if args.json:
            _print_json(removed)
        else:
            print("\n".join(f"removed {doc}" for doc in removed["removed"]))
        return 0
    if args.docs:
        raise UsageError("list takes no names.", "`documents remove DOC` removes one.")
    listed = _run("documents", collection=args.collection)
    if args.json:
        _print_json(listed)
    else:
        for document in listed["documents"]:
            print(f"{document['doc']}  ({document['size']:,} bytes, {document['chunks']} chunks)")
        if not listed["documents"]:
            print("No documents yet; `python -m app ingest FOLDER` reads some.")
    return 0


def _engines(args: argparse.Namespace) -> int:
    found = _run("engines")
    if args.json:
        _print_json(found)
        return 0
    for engine in found["engines"]:
        mark = "answers" if engine["name"] == found["engine"] else "ready" if engine["ready"] else "not ready"
        model = f" {engine['model']}" if engine["model"] else ""
        hint = "" if engine["ready"] else engine["hint"]
        print(f"{engine['name']:12} {mark:9}{model}  {engine['detail']} {hint}".rstrip())
    return 0
