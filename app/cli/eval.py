"""The command ``eval``: how well search does, on questions of one's own or made from the documents."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.common import add_collection, add_json, print_json, run
from app.errors import EvaluationError, UsageError

if TYPE_CHECKING:
    from app.cli.common import Commands

_MADE = 50


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "eval",
        help="how well search does on your own questions",
        description="Asks every question of a collection, or of a folder that is read for this alone, and tells how"
        " often search finds what answers it. Without QUESTIONS.jsonl it makes questions from the documents.",
    )
    command.add_argument(
        "questions",
        nargs="?",
        metavar="QUESTIONS.jsonl",
        help='a line each: {"question": "…"} with "evidence", "answers", "docs" or "answerable": false',
    )
    command.add_argument("--corpus", metavar="DIR", help="evaluate on this folder; the collections stay as they are")
    add_collection(command)
    command.add_argument(
        "--compare", nargs="+", default=[], metavar="NAME=VALUE", help="a second run with other settings, side by side"
    )
    command.add_argument("--make", type=int, metavar="N", help=f"how many questions to make (default {_MADE})")
    command.add_argument("--seed", type=int, default=0, help="other questions for another number (default %(default)s)")
    command.add_argument("--engine", metavar="NAME", help="let this engine write them (default: sentences with a gap)")
    command.add_argument("--save", metavar="FILE.jsonl", help="keep the questions that were made")
    command.add_argument("--html", metavar="FILE", help="write a page with charts as well")
    command.add_argument("--lang", choices=("en", "zh"), help="its language (default: that of most questions)")
    add_json(command)
    command.set_defaults(command=_eval)


def _eval(args: argparse.Namespace) -> int:
    _check(args)
    text = None if args.questions is None else _read(args.questions)
    for target in (args.html, args.save):  # said now, not after the work
        if target and not Path(target).expanduser().absolute().parent.is_dir():
            raise EvaluationError(f"There is no folder for {target}.", "Make it, or name another file.")
    result: dict[str, Any] = run(
        "evaluate",
        questions=text,
        file=Path(args.questions).name if args.questions else "",
        corpus=str(Path(args.corpus).expanduser().absolute()) if args.corpus else None,
        collection=args.collection,
        make=_MADE if args.make is None else args.make,
        seed=args.seed,
        engine=args.engine,
        compare=args.compare,
    )
    _show(args, result)
    for failure in result["failed"]:
        sys.stderr.write(f"not read: {failure}\n")
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.corpus and args.collection:
        raise UsageError("--corpus and --collection exclude each other.", "Give one of them.")
    making = [f"--{name}" for name in ("make", "engine", "save") if getattr(args, name) is not None]
    if args.questions is not None and making:
        raise UsageError(f"{making[0]} is for questions that are made.", "Leave it out, or leave out QUESTIONS.jsonl.")
    if args.make is not None and args.make < 1:
        raise UsageError(f"--make {args.make} is too few.", "Make 1 question at least.")


def _read(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise EvaluationError(f"{path} is not UTF-8.", "Save it as UTF-8, a JSON object on each line.") from None
    except OSError as error:
        raise EvaluationError(
            f"{path} cannot be read: {error.strerror}.", "Name a file with a JSON object on each line."
        ) from None


def _show(args: argparse.Namespace, result: dict[str, Any]) -> None:
    from app.evaluation.html import page, spoken
    from app.evaluation.questions import dump
    from app.evaluation.table import table
    from app.evaluation.work import Evaluated

    done = Evaluated.from_dict(result)
    if args.save:
        _write(args.save, dump(done.run.questions()))
    if args.html:
        _write(args.html, page(done.run, done.other, args.lang or spoken(done.run)))
    if args.json:
        print_json(result)
    else:
        sys.stdout.write(table(done.run, done.other))


def _write(path: str, text: str) -> None:
    target = Path(path).expanduser()
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror}.", "Name another file.") from None
    sys.stderr.write(f"written: {path}\n")
