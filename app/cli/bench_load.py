"""``bench load`` and ``bench arrival``: a server under load, by readers or by a rate.

They run in this process even beside a running server: who measures must not share a process with who is measured.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from app.cli import bench_output
from app.errors import BenchmarkError, UsageError

if TYPE_CHECKING:
    from app.benchmark.prompts import PromptSource
    from app.cli.common import Commands

Number = TypeVar("Number", int, float)
PROCESSES = ("poisson", "constant", "bursty")
READERS, REQUESTS, TOKENS, PROMPT_TOKENS, SECONDS = 8, 100, 128, 256, 120.0


def add(kinds: Commands) -> None:
    """Add both to ``bench``."""
    load = kinds.add_parser(
        "load",
        help="readers who ask as soon as they have an answer (closed loop)",
        description="So many readers ask as soon as they have an answer. Flags win over the environment variables that"
        " are named beside them.",
    )
    _whom(load)
    load.add_argument("-c", "--concurrency", type=int, metavar="N", help=f"readers at once (CONC; default {READERS})")
    load.add_argument("-n", "--requests", type=int, metavar="N", help=f"prompts in all (NREQ; default {REQUESTS})")
    load.add_argument("--warmup", type=int, default=0, metavar="N", help="requests before, that do not count")
    _what(load)
    bench_output.add(load)
    load.set_defaults(command=_load)

    arrival = kinds.add_parser(
        "arrival",
        help="prompts that come at a rate, whoever still waits (open loop)",
        description="Prompts come at a rate, whether the server keeps up or not; times count from when each was due.",
    )
    _whom(arrival)
    arrival.add_argument("--rate", type=float, metavar="R", help="prompts a second (AUTO_RATE)")
    arrival.add_argument("--duration", type=float, metavar="S", help="for so many seconds (AUTO_DURATION)")
    arrival.add_argument("--num-prompts", type=int, metavar="N", help="until so many have come (NUM_PROMPTS)")
    arrival.add_argument(
        "--process",
        default="poisson",
        choices=("poisson", "constant", "bursty"),
        help="how they come (default: poisson)",
    )
    arrival.add_argument("--burstiness", type=float, default=0.25, help="of bursty; 1 is Poisson (default %(default)s)")
    arrival.add_argument("--trace", metavar="FILE", help="come as recorded: JSON Lines or CSV; --rate changes its pace")
    arrival.add_argument("--warmup", type=float, metavar="S", help="seconds that do not count (default: a tenth)")
    arrival.add_argument("--cooldown", type=float, default=0.0, metavar="S", help="seconds at the end that do not")
    arrival.add_argument(
        "--goodput", nargs="+", default=[], metavar="NAME:MS", help="limits that a good answer keeps: ttft, tpot, e2e"
    )
    _what(arrival)
    bench_output.add(arrival)
    arrival.set_defaults(command=_arrival)


def _whom(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base-url", metavar="URL", help="the server (VLLM_BASE; default: that of the settings)")
    parser.add_argument("--model", metavar="M", help="the model to ask for (VLLM_MODEL; default: what is served)")
    parser.add_argument("--api-key", metavar="KEY", help="its key (VLLM_API_KEY)")
    parser.add_argument("--engine", metavar="NAME", help="an engine in this process instead: hf, vllm, ollama=MODEL")
    parser.add_argument("--api", choices=("chat", "completions"), default="chat", help="default: chat")


def _what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prompts", metavar="FILE", help="a prompt on each line, or JSON Lines")
    parser.add_argument(
        "--synthetic", type=int, metavar="TOKENS", help=f"made prompts of about so many (default {PROMPT_TOKENS})"
    )
    parser.add_argument("--tokens", type=int, default=TOKENS, metavar="N", help="of each answer (default %(default)s)")
    parser.add_argument("--natural", action="store_true", help="let answers end where the model ends them")
    parser.add_argument("--seed", type=int, default=0, help="other prompts and times for another number")
    parser.add_argument(
        "--timeout", type=float, default=SECONDS, metavar="S", help="silence that ends an answer (default %(default)g)"
    )
    parser.add_argument("--check-tokens", action="store_true", help="have vLLM tell every token, to find lost ones")
    parser.add_argument("--gpus", metavar="LIST", help="watch these alone, such as 0,1 (default: all)")


def _load(args: argparse.Namespace) -> int:
    from app.benchmark.loading.request import LoadRequest
    from app.benchmark.loading.run import load

    request = LoadRequest(
        **_common(args),
        concurrency=_number(args.concurrency, "CONC", int, READERS),
        requests=_number(args.requests, "NREQ", int, REQUESTS),
        warm_up=args.warmup,
    )
    return bench_output.measure(args, lambda settings, on_progress: load(request, settings, on_progress))


def _arrival(args: argparse.Namespace) -> int:
    from app.benchmark.loading.request import ArrivalRequest
    from app.benchmark.loading.run import arrival

    for other in ("prompts", "synthetic"):
        if args.trace is not None and getattr(args, other) is not None:
            raise UsageError(f"--trace and --{other} exclude each other: a recording brings its prompts.", "Give one.")
    trace = None if args.trace is None else read(args.trace)
    request = ArrivalRequest(
        **_common(args),
        rate=_number(args.rate, "AUTO_RATE", float, None),
        duration=_number(args.duration, "AUTO_DURATION", float, None),
        count=_number(args.num_prompts, "NUM_PROMPTS", int, None),
        process=args.process,
        burstiness=args.burstiness,
        seed=args.seed,
        trace=trace,
        trace_name=Path(args.trace).name if args.trace else "",
        warm_up=args.warmup,
        cool_down=args.cooldown,
        limits=_limits(args.goodput),
    )
    return bench_output.measure(args, lambda settings, on_progress: arrival(request, settings, on_progress))


def _common(args: argparse.Namespace) -> dict[str, Any]:
    in_process = bool(args.engine)
    return {
        "base_url": args.base_url or ("" if in_process else os.environ.get("VLLM_BASE", "").strip()),
        "model": args.model or ("" if in_process else os.environ.get("VLLM_MODEL", "").strip()),
        "api_key": args.api_key or "",
        "engine": args.engine or "",
        "prompts": _prompts(args),
        "max_tokens": args.tokens,
        "fixed": not args.natural,
        "completions": args.api == "completions",
        "patience": args.timeout,
        "check_tokens": args.check_tokens,
        "gpus": tuple(part.strip() for part in args.gpus.split(",") if part.strip()) if args.gpus else None,
    }


def _prompts(args: argparse.Namespace) -> PromptSource:
    from app.benchmark.prompts import PromptSource

    if args.prompts is None:
        length = PROMPT_TOKENS if args.synthetic is None else args.synthetic
        return PromptSource(kind="synthetic", tokens=length, seed=args.seed)
    if args.synthetic is not None:
        raise UsageError("--prompts and --synthetic exclude each other.", "Give one of them.")
    return PromptSource(kind="prompts", text=read(args.prompts), file=Path(args.prompts).name, seed=args.seed)


def read(path: str) -> str:
    """A file of the user's. Raises BenchmarkError where it cannot be read."""
    try:
        return Path(path).expanduser().read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BenchmarkError(f"{path} is not UTF-8.", "Save it as UTF-8.") from None
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read: {error.strerror}.", "Name another file.") from None


def _number(given: Number | None, variable: str, kind: Callable[[str], Number], default: Number | None) -> Any:
    """What the flag says, else the environment variable, else the default."""
    if given is not None:
        return given
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    try:
        return kind(text)
    except ValueError:
        what = "whole number" if kind is int else "number"
        raise UsageError(f"{variable} is {text!r}, which is no {what}.", "Correct or unset it.") from None


def _limits(given: list[str]) -> dict[str, float]:
    found = {}
    for item in given:
        name, _, value = item.partition(":")
        try:
            found[f"{name.strip().lower()}_ms"] = float(value)
        except ValueError:
            raise UsageError(f"{item!r} is no limit.", "Write it as ttft:200, in milliseconds.") from None
    return found
