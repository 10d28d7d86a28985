"""Amounts as people read them: bytes, and how long something takes."""

from __future__ import annotations


def size(count: int) -> str:
    """``count`` bytes, in the unit that leaves few digits; units of 1000."""
    amount = float(count)
    for unit in ("B", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def left(done: int, total: int, rate: float) -> float | None:
    """Seconds until ``total`` at ``rate`` a second; None where that cannot be told."""
    return (total - done) / rate if rate > 0 and total > done else None


def duration(seconds: float) -> str:
    """``seconds`` as people read a clock: ``0:42``, ``12:05``, ``3:04:09``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def figure(value: float | None) -> str:
    """Three digits that say something: ``0.412``, ``48.3``, ``1,234``; a dash for None."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):.10g}"
