"""Bytes as people read them."""

from __future__ import annotations


def size(count: int) -> str:
    """``count`` bytes, in the unit that leaves few digits; units of 1000."""
    amount = float(count)
    for unit in ("B", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
