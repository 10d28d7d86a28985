"""What every benchmark's command has in common: its progress, where its report goes, and its exit code."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from app.cli.common import add_json, print_json
from app.errors import BenchmarkError

if TYPE_CHECKING:
    from app.benchmark.loading.report import LoadReport
    from app.benchmark.reporting.runs import Report
    from app.config import Settings
    from app.schema import OnProgress

INTERRUPTED = 130
"""Exit code after Ctrl-C, as of every command; what was measured is told all the same."""


def add(parser: argparse.ArgumentParser) -> None:
    """The options about what becomes of the report."""
    parser.add_argument("--csv", metavar="FILE", help="write every request or figure as CSV as well")
    parser.add_argument("--html", metavar="FILE", help="write a page with charts as well")
    parser.add_argument("--lang", choices=("en", "zh"), default="en", help="language of table and page (default: en)")
    parser.add_argument("--no-keep", action="store_true", help="do not keep it in DATA_DIR")
    add_json(parser)


def measure(args: argparse.Namespace, work: Callable[[Settings, OnProgress], LoadReport]) -> int:
    """Do ``work`` in this process, keep its report and tell it. Raises as ``work`` does."""
    from app.benchmark.reporting.runs import BenchmarkRuns
    from app.config import get_settings
    from app.logs import set_up_logging
    from app.progress import ProgressLine

    check_files(args)
    settings = get_settings()
    set_up_logging(settings)
    with terminable(), ProgressLine(sys.stderr) as line:
        report = work(settings, lambda progress: line.show(asdict(progress)))
    try:
        tell(args, report)
    finally:  # whatever becomes of one, the other is done
        if not args.no_keep and report.samples:
            BenchmarkRuns(settings.data_dir / "benchmarks").keep(report)
    if report.interrupted:
        return INTERRUPTED
    return 0 if report.ok else 1


@contextmanager
def terminable() -> Iterator[None]:
    """Within it SIGTERM, as `timeout` and containers send it, is a Ctrl-C: what was measured is told."""

    def stop(number: int, frame: FrameType | None) -> None:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def check_files(args: argparse.Namespace) -> None:
    """Whether the files can be written: said now, not after the work. Raises BenchmarkError."""
    for target in (args.csv, args.html):
        path = Path(target or "").expanduser().absolute()
        if target and not path.parent.is_dir():
            raise BenchmarkError(f"There is no folder for {target}.", "Make it, or name another file.")
        if target and path.is_dir():
            raise BenchmarkError(f"{target} is a folder.", "Name a file.")


def tell(args: argparse.Namespace, report: Report) -> None:
    """The report on stdout, and into the files that were named."""
    if args.json:
        print_json(report.as_dict())
    else:
        from app.benchmark.reporting.table import table

        sys.stdout.write(table(report, args.lang))
        sys.stdout.flush()
    if args.csv:
        from app.benchmark.reporting.sheet import csv

        _write(args.csv, csv(report))
    if args.html:
        from app.benchmark.reporting.html import page

        _write(args.html, page([report], args.lang))


def _write(path: str, text: str) -> None:
    try:
        Path(path).expanduser().write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be written: {error.strerror}.", "Name another file.") from None
    sys.stderr.write(f"written: {path}\n")
