"""The command ``bench``: how fast engines answer on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.cli import bench_compare, bench_load

if TYPE_CHECKING:
    from app.cli.common import Commands


def add(commands: Commands) -> None:
    """Add the command, with a command of its own for each kind of benchmark."""
    bench = commands.add_parser(
        "bench",
        help="how fast engines answer on this machine",
        description="Measures engines on this machine, with your own prompts. What is measured is kept in DATA_DIR and"
        " shown on the page under Measure.",
    )
    kinds = bench.add_subparsers(title="benchmarks", metavar="KIND", required=True)
    bench_load.add(kinds)
    bench_compare.add(kinds)
