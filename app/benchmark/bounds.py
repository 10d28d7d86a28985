"""How much may be measured."""

from __future__ import annotations

from collections.abc import Sequence

from app.errors import BenchmarkError

MOST_TOKENS = 100_000
"""Of a prompt or an answer."""


def within(what: str, numbers: Sequence[int], most: int, unit: str = "") -> None:
    """Raises BenchmarkError unless each of ``numbers``, one at least, is of 1 to ``most``; ``what`` begins the line."""
    wrong = next((number for number in numbers if not 1 <= number <= most), None)
    if wrong is not None or not numbers:
        shown = "none" if wrong is None else f"{wrong:,} {unit}".strip()
        raise BenchmarkError(f"{what} {shown} cannot be measured.", f"Give 1 to {most:,}.")
