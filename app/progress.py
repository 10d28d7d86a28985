"""Progress on a terminal: one line, drawn over and over; on a pipe a line now and then."""

from __future__ import annotations

import shutil
import time
from types import TracebackType
from typing import Any, Self, TextIO

from app.sizes import duration, left, size

_SECONDS_BETWEEN_LINES = 5.0


class ProgressLine:
    """Use as a context manager; the line is gone at the end."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._drawn = False
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def show(self, progress: dict[str, Any]) -> None:
        """Draw one ``Progress`` (as a dict)."""
        text = described(progress)
        if self._out.isatty():
            self._out.write("\r\x1b[2K" + text[: shutil.get_terminal_size().columns - 1])
            self._out.flush()
            self._drawn = True
        elif time.monotonic() - self._last > _SECONDS_BETWEEN_LINES:
            self._out.write(text + "\n")
            self._out.flush()
            self._last = time.monotonic()

    def clear(self) -> None:
        """Take the line away."""
        if self._drawn:
            self._out.write("\r\x1b[2K")
            self._out.flush()
            self._drawn = False


def described(progress: dict[str, Any]) -> str:
    """One ``Progress`` in a line: files are counted from 1, bytes are a share, chunks stand behind their file."""
    stage, done, total, item, detail = (progress[key] for key in ("stage", "done", "total", "item", "detail"))
    if stage == "fetching":
        return f"{stage} {item} {_fetched(done, total, progress['rate'])}, {detail} files"
    if stage == "pulling":
        return f"{stage} {item} {done / total:.0%} {detail}" if total else f"{stage} {item} {detail}"
    if stage == "draining":
        return f"waiting for {done} answers of {item}"
    if stage in ("checking", "loading", "closing"):
        return f"{stage} {item} {detail}".rstrip()
    count = f"{min(done + 1, total)}/{total} " if total else ""
    return f"{stage} {count}{item}{f' ({detail} chunks)' if detail else ''}"


def _fetched(done: int, total: int, rate: float) -> str:
    """``4.1 GB of 16 GB (25%), 52 MB/s, 3:48 left``."""
    parts = [f"{size(done)} of {size(total)} ({done / total:.0%})" if total else size(done)]
    if rate:
        parts.append(f"{size(int(rate))}/s")
    if (seconds := left(done, total, rate)) is not None:
        parts.append(f"{duration(seconds)} left")
    return ", ".join(parts)
