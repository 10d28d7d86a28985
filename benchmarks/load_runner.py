"""Runs one of the load generators that benchmarks/load_clients.py compares, as often as it is told.

    PYTHON benchmarks/load_runner.py {ours|vllm|guidellm} CORE

It stays on CORE, imports its load generator, and replies with a line. Then an order is a line of JSON: the command line
as one would type it, and the file that takes what it prints. The reply is a line of JSON when it has ended: what went
wrong, or null. Only the load generator's own package is imported, so that it can come from another Python.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any


def ours() -> Callable[[list[str]], Any]:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from app.cli import main

    return main


def vllm() -> Callable[[list[str]], Any]:
    """What `vllm bench serve` runs. That command itself fails in the package that is made for the CPU."""
    from vllm.benchmarks.serve import add_cli_args
    from vllm.benchmarks.serve import main as serve
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    def run(arguments: list[str]) -> None:
        parser = FlexibleArgumentParser()
        add_cli_args(parser)
        serve(parser.parse_args(arguments))

    return run


def guidellm() -> Callable[[list[str]], Any]:
    from guidellm.cli import cli  # type: ignore[import-not-found]

    def run(arguments: list[str]) -> None:
        cli.main(args=arguments, standalone_mode=False)

    return run


def main() -> None:
    os.sched_setaffinity(0, {int(sys.argv[2])})
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print what they like, their own processes too
    run = {"ours": ours, "vllm": vllm, "guidellm": guidellm}[sys.argv[1]]()
    print("null", file=replies, flush=True)
    for line in sys.stdin:
        arguments, printed = json.loads(line)
        problem = None
        try:
            with open(printed, "w") as file, redirect_stdout(file):
                if code := run(arguments):
                    problem = f"exit code {code}"
        except (Exception, SystemExit) as error:
            problem = f"{type(error).__name__}: {error}"
        print(json.dumps(problem), file=replies, flush=True)


if __name__ == "__main__":
    main()
