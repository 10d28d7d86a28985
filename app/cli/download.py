"""The command line of ``download_model.py``: fetches models, lists what is here, removes one.

Results go to stdout (with ``--json`` as one JSON document), progress and notes to stderr. Exit codes as those of
``python -m app``: 0 done, 1 a problem with what was asked, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.common import fail, print_json
from app.errors import HotswapError, UsageError
from app.sizes import size

if TYPE_CHECKING:
    from app.config import Settings
    from app.models import Fetched, Fit

_NAME = "download_model.py"


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments ask for; the exit code."""
    args = _parser().parse_args(argv)
    try:
        return _run(args)
    except UsageError as error:
        return fail(error, 2)
    except HotswapError as error:
        return fail(error, 1)
    except BrokenPipeError:  # the reader of our output has left, as in `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; what came is kept, and the same command goes on from there\n")
        sys.stderr.flush()
        os._exit(130)  # threads that still wait for a server would keep the process for seconds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python {_NAME}",
        description="Fetch a language model, an embedding model or a reranker to this machine, verified;"
        " what was stopped goes on where it ended.",
        epilog="Fetched models are kept in MODELS_DIR; HF_ENDPOINT, HF_TOKEN and OFFLINE hold here too.",
    )
    parser.add_argument(
        "name",
        nargs="?",
        metavar="MODEL",
        help="org/name[@revision], the address of its page, or a folder on this disk (verified, and used where it is)",
    )
    parser.add_argument("--to", metavar="DIR", type=Path, help="the folder it goes to (default: its own in MODELS_DIR)")
    parser.add_argument(
        "--source", metavar="WHERE", default="", help="hf (default), hf-mirror, modelscope, or a mirror's address"
    )
    parser.add_argument("--revision", metavar="REV", default="", help="a branch, a tag or a commit (default: newest)")
    parser.add_argument("--token", default="", help="for gated and private models (better: set HF_TOKEN)")
    for option, what in (("include", "only the files that match"), ("exclude", "not the files that match")):
        parser.add_argument(
            f"--{option}", metavar="PATTERN", action="append", default=[], help=f"{what}, as in '*.json'; repeatable"
        )
    kind = parser.add_mutually_exclusive_group()
    for name, what in (("embedding", "an embedding model"), ("reranker", "a reranker")):
        kind.add_argument(f"--{name}", dest="kind", action="store_const", const=name, help=f"it is to be {what}")
    parser.add_argument("--set", action="store_true", help="write the setting that uses it into config.yaml")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--list", action="store_true", help="the models on this machine: whole or not, who runs them")
    other.add_argument("--remove", metavar="MODEL", help="delete a fetched model, or forget a registered folder")
    other.add_argument("--recommend", action="store_true", help="a short list of models for this machine's memory")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    return parser


def _run(args: argparse.Namespace) -> int:
    from app import offline
    from app.config import get_settings
    from app.logs import set_up_logging

    asked = [option for option in ("list", "recommend", "remove") if getattr(args, option)]
    if asked and args.name:
        raise UsageError(f"--{asked[0]} takes no {args.name} beside it.", f"See `python {_NAME} --help`.")
    if not asked and not args.name:
        raise UsageError("Which model?", f"Such as `python {_NAME} Qwen/Qwen3-8B`; --recommend lists some.")
    settings = get_settings()
    offline.prepare(settings)
    set_up_logging(settings)
    if args.list:
        return _list(settings, as_json=args.json)
    if args.recommend:
        from app.cli.recommend import recommend

        return recommend(as_json=args.json)
    if args.remove:
        return _remove(settings, args.remove, as_json=args.json)
    return _fetch(settings, args)


def _fetch(settings: Settings, args: argparse.Namespace) -> int:
    from app.models import FetchRequest, fetch
    from app.progress import ProgressLine

    request = FetchRequest(
        args.name,
        to=args.to,
        source=args.source,
        revision=args.revision,
        token=args.token,
        include=tuple(args.include),
        exclude=tuple(args.exclude),
        kind=args.kind,
    )
    with ProgressLine(sys.stderr) as line:
        done = fetch(request, settings, lambda progress: line.show(asdict(progress)))
    for note in done.notes:
        sys.stderr.write(f"hotswap: {note}\n")
    written = _set(done) if args.set else None
    if args.json:
        print_json(
            {
                "name": done.name,
                "path": str(done.folder),
                "kind": done.kind,
                "setting": done.setting,
                "value": done.value,
                "fetched": done.came,
                "written": written,
            }
        )
        return 0
    came = f" {size(done.came)} came." if done.came else " Nothing had to be fetched."
    print(f"{done.name} is here, whole: {done.folder}.{came}")
    if done.setting and not written:
        print(f"To use it, set in config.yaml (--set does that):\n\n    {_line(done)}\n")
    return 0


def _set(done: Fetched) -> str | None:
    """Write the setting; the file it went to."""
    from app.config_write import set_value

    if not done.setting:
        return None
    written = set_value(done.setting, done.value)
    sys.stderr.write(f"hotswap: {written.path} says now: {_line(done)}\n")
    if written.before not in (None, done.value):
        sys.stderr.write(f"hotswap: Until now it said {written.before}.\n")
    if written.overridden_by:
        sys.stderr.write(
            f"hotswap: The environment variable {written.overridden_by} wins over the file: unset it, or change it.\n"
        )
    return str(written.path)


def _line(done: Fetched) -> str:
    import yaml

    return yaml.safe_dump({done.setting: done.value}, allow_unicode=True, width=10_000).strip()


def _list(settings: Settings, *, as_json: bool) -> int:
    from app.inventory import models_here

    found = models_here(settings)
    if as_json:
        print_json({"models": [model.as_dict() for model in found]})
        return 0
    if not found:
        print(f"No models are here yet. `python {_NAME} --recommend` lists some.")
    for model in found:
        about = [model.kind or "", size(model.size), model.quantization or model.dtype or "", model.place]
        state = "whole" if model.complete else "not whole"
        print(f"{model.name}  {state}, {', '.join(part for part in about if part)}\n    {model.path}")
        if model.problem:
            print(f"    {model.problem} {model.hint}".rstrip())
        for fit in model.fits:
            print(f"    {_fit(fit)}")
        for verdict in model.engines:
            print(f"    {verdict.engine}: {'yes' if verdict.runs else 'no'}. {verdict.reason}")
        if model.set_as:
            print(f"    set as {', '.join(model.set_as)}")
    return 0


def _fit(fit: Fit) -> str:
    where = "the GPU" if fit.memory.device == "cuda" else "RAM"
    verdict = "fits" if fit.fits else "is too large for" if fit.need.total > fit.memory.total else "now too large for"
    return f"{verdict} {'into ' if fit.fits else ''}{where}: {fit.sentence()}."


def _remove(settings: Settings, name: str, *, as_json: bool) -> int:
    from app.inventory import remove_model

    model, gone = remove_model(settings, name, _live(settings))
    if as_json:
        result: dict[str, Any] = {"removed": model.name, "path": str(model.path), "deleted": gone}
        print_json({**result, "bytes": model.size if gone else 0})
    elif gone:
        print(f"{model.name} is deleted: {size(model.size)} at {model.path}.")
    else:
        print(f"{model.name} is off the list; its files stay at {model.path}.")
    for setting in model.set_as:
        sys.stderr.write(f"hotswap: {setting} still names it.\n")
    return 0


def _live(settings: Settings) -> str:
    """The model of the engine that answers in the running server; empty where none runs."""
    from app import client
    from app.owner import announced_server

    if announced_server(settings.data_dir) is None:
        return ""
    try:
        found = next(event["result"] for event in client.run(settings, "engines", {}) if "result" in event)
    except (HotswapError, StopIteration):
        return ""
    return str(found["model"]) if found["engine"] in ("vllm", "hf") else ""
