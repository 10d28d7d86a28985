"""``bench compare`` and ``bench tune``: engines against each other, and one engine's settings."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli import bench_output
from app.cli.bench_apply import apply
from app.cli.bench_load import read
from app.cli.common import run
from app.errors import UsageError

if TYPE_CHECKING:
    from app.benchmark.comparisons.report import ComparisonReport
    from app.benchmark.comparisons.request import CompareRequest, TuneRequest
    from app.benchmark.prompts import PromptSource
    from app.benchmark.reporting.runs import BenchmarkRuns
    from app.cli.common import Commands

_KEEPING_SECONDS = 60.0
"""How long a server may take to close its engines and to keep what was measured, after Ctrl-C."""


def add(kinds: Commands) -> None:
    """Add both to ``bench``."""
    compare = kinds.add_parser(
        "compare",
        help="engines against each other, and which one to use",
        description="Asks every engine the same prompts, in turn where they fit into memory together, with answers of"
        " the same length; tells the differences with their spread, and which engine to use.",
    )
    compare.add_argument(
        "engines", nargs="+", metavar="ENGINE", help="hf, vllm, ollama, vllm_openai, each perhaps as NAME=MODEL"
    )
    _how(compare, readers="1,8,32", turns="1,5")
    compare.set_defaults(command=_compare)

    tune = kinds.add_parser(
        "tune",
        help="which settings of an engine make it faster",
        description="Measures the engine as it is set, then with one setting after the other changed. What an engine"
        " lacks is said.",
    )
    tune.add_argument(
        "engine", nargs="?", metavar="ENGINE", help="perhaps as NAME=MODEL (default: LLM_ENGINE, else vllm)"
    )
    tune.add_argument("--draft", default="", metavar="MODEL", help="hub id or folder of a small model that drafts")
    tune.add_argument(
        "--try",
        dest="tries",
        default="",
        metavar="LIST",
        help="only these: prefix-caching, chunked-prefill, ngram, draft, max-num-seqs, max-num-batched-tokens,"
        " kv-cache-dtype",
    )
    _how(tune, readers="1,8", turns="1")
    tune.set_defaults(command=_tune)


def _how(parser: argparse.ArgumentParser, *, readers: str, turns: str) -> None:
    parser.add_argument("--readers", default=readers, metavar="LIST", help="readers at once (default %(default)s)")
    parser.add_argument("--turns", default=turns, metavar="LIST", help="of a conversation (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="of everything (default %(default)s)")
    parser.add_argument("--tokens", type=int, default=128, metavar="N", help="of each answer (default %(default)s)")
    parser.add_argument(
        "--requests", type=int, metavar="N", help="single questions of a repeat (default: two a reader, eight at least)"
    )
    parser.add_argument("--prompts", metavar="FILE", help="a prompt on each line, or JSON Lines")
    parser.add_argument(
        "--questions", metavar="FILE", help="a question on each line, asked with its passages of the collection"
    )
    parser.add_argument("--collection", metavar="NAME", help="which one; alone: questions made of its documents")
    parser.add_argument("--synthetic", type=int, metavar="N", help="made prompts of about N tokens (the default: 512)")
    parser.add_argument("--seed", type=int, default=0, help="other made prompts for another number")
    parser.add_argument("--apply", action="store_true", help="set what is advised, in the settings file and live")
    bench_output.add(parser)


def _compare(args: argparse.Namespace) -> int:
    from app.benchmark.comparisons.request import CompareRequest

    return _measured(args, "compare", CompareRequest(tuple(map(_absolute, args.engines)), **_load(args)))


def _tune(args: argparse.Namespace) -> int:
    from app.benchmark.comparisons.request import TuneRequest
    from app.config import get_settings

    wanted = get_settings().llm_engine
    request = TuneRequest(
        _absolute(args.engine or (wanted if wanted not in ("auto", "extractive") else "vllm")),
        draft=_folder(args.draft),
        tries=tuple(name.strip() for name in args.tries.split(",") if name.strip()),
        **_load(args),
    )
    return _measured(args, "tune", request)


def _load(args: argparse.Namespace) -> dict[str, Any]:
    """What both have in common: how the engines are asked."""
    from app.runs import now

    return {
        "readers": _numbers(args.readers, "--readers"),
        "turns": _numbers(args.turns, "--turns"),
        "repeats": args.repeats,
        "max_tokens": args.tokens,
        "requests": args.requests,
        "prompts": _prompts(args),
        "id": now()[1],
    }


def _measured(args: argparse.Namespace, operation: str, request: CompareRequest | TuneRequest) -> int:
    from app.benchmark.comparisons.report import ComparisonReport
    from app.benchmark.reporting.runs import BenchmarkRuns
    from app.config import get_settings

    request.check()
    bench_output.check_files(args)
    runs = BenchmarkRuns(get_settings().data_dir / "benchmarks")
    try:
        with bench_output.terminable():
            report = ComparisonReport.from_dict(run(operation, **request.as_dict()))
    except KeyboardInterrupt:
        sys.stderr.write("\nstopping; what was measured is told\n")
        if (kept := _kept(runs, request.id)) is None:
            raise
        report = kept
    if args.no_keep:
        runs.remove(report.id)
    bench_output.tell(args, report)
    if report.interrupted:
        return bench_output.INTERRUPTED
    if args.apply:
        apply(report)
    return 0 if report.advice.label else 1


def _kept(runs: BenchmarkRuns, name: str) -> ComparisonReport | None:
    """What was kept of an interrupted run: at once by this process, some time later by a server."""
    from app.benchmark.comparisons.report import ComparisonReport
    from app.config import get_settings
    from app.owner import announced_server

    patience = _KEEPING_SECONDS if announced_server(get_settings().data_dir) else 0.0
    end = time.monotonic() + patience
    while name not in runs.ids() and time.monotonic() < end:
        time.sleep(0.2)
    found = runs.load(name)
    return found if isinstance(found, ComparisonReport) else None


def _prompts(args: argparse.Namespace) -> PromptSource:
    from app.benchmark.prompts import PromptSource

    given = [f"--{name}" for name in ("prompts", "questions", "synthetic") if getattr(args, name) is not None]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} exclude each other.", "Give one of them.")
    if args.collection and given and given[0] != "--questions":
        raise UsageError(f"{given[0]} asks no collection.", "Leave --collection out, or use --questions.")
    if args.prompts is not None:
        return PromptSource("prompts", text=read(args.prompts), file=Path(args.prompts).name)
    if args.questions is not None:
        text, name = read(args.questions), Path(args.questions).name
        return PromptSource("questions", text=text, file=name, collection=args.collection)
    if args.collection:
        return PromptSource("collection", collection=args.collection, seed=args.seed)
    tokens = {} if args.synthetic is None else {"tokens": args.synthetic}
    return PromptSource("synthetic", seed=args.seed, **tokens)


def _numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise UsageError(f"{option} {text!r} is no list of numbers.", f"Write it as {option} 1,8,32.") from None


def _absolute(engine: str) -> str:
    """A folder of this shell is one for the server, too."""
    name, equals, model = engine.partition("=")
    return f"{name}{equals}{_folder(model)}"


def _folder(model: str) -> str:
    path = Path(model).expanduser()
    return str(path.absolute()) if model and path.is_dir() else model
