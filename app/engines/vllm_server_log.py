"""What a vLLM server prints: kept in a file, shown live with LOG_LEVEL=DEBUG, read for its step and its failure."""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

from app.engines.worker_log import cause
from app.errors import DataFolderError

log = logging.getLogger(__name__)

KEPT_LINES = 300  # enough for the tracebacks of a worker, its engine and the server; older faults are no cause
LARGEST = 10_000_000  # bytes of the file; then it is renamed to *.1, and the one before goes
_PREFIX = re.compile(  # (EngineCore pid=4392) ERROR 11-21 03:45:50 [core.py:133]
    r"^(?:\([\w. -]+ pid=\d+\) )*"
    r"(?:(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) +(?:\d\d-\d\d \d\d:\d\d:\d\d )?(?:\[\S+:\d+\] )?)?"
)
_STEPS = (
    (re.compile(r"Initializing a .*engine"), "starting the engine"),
    (re.compile(r"load\w*\b.*\b(?:weight|model|checkpoint|safetensors)", re.IGNORECASE), "loading the weights"),
    (re.compile(r"Starting torch\.compile|Dynamo bytecode|Compiling a graph|for the compilation"), "compiling"),
    (re.compile(r"captur\w*.*graph|graph\w*.*captur", re.IGNORECASE), "capturing CUDA graphs"),
    (re.compile(r"KV cache (?:size|memory)|for KV cache", re.IGNORECASE), "making room for the context"),
    (re.compile(r"Starting vLLM (?:API )?server|Application startup"), "opening the port"),
)
_COMPLAINTS = re.compile(r"validation errors? for ")
_POINTERS = ("Failed core proc(s)", "EngineDeadError")
_USAGE = re.compile(r"^[\w.]+: error: (.*)")  # how argparse ends a program
_AFTERTHOUGHT = re.compile(r"\s*\[type=.*$")  # pydantic's


class ServerLog:
    """The words of one server. Its thread reads them until the last process that holds the pipe has ended."""

    def __init__(self, path: Path) -> None:
        """Raises DataFolderError where the file cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _File(path, maxBytes=LARGEST, backupCount=1, encoding="utf-8")
        except OSError as error:
            raise DataFolderError(
                f"The server's log {path} cannot be written: {error.strerror}.",
                "Give your user the right to write there, or set DATA_DIR to another folder.",
            ) from error
        self.step = "starting vLLM"
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._thread: threading.Thread | None = None

    def read(self, pipe: IO[str]) -> None:
        """Begin to read ``pipe``, and close it at its end."""
        self._thread = threading.Thread(target=self._read, args=(pipe,), name="vllm-server-log", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Until the last words are read."""
        if self._thread is not None:
            self._thread.join(seconds)

    def tail(self, count: int) -> list[str]:
        """The last lines that say something."""
        return [line for line in list(self._lines) if line.strip()][-count:]

    def cause(self) -> str:
        """The error that the server ended with, in its own words and one line; empty where it told none."""
        return failure([_PREFIX.sub("", line) for line in list(self._lines)])

    def _read(self, pipe: IO[str]) -> None:
        with pipe:
            for printed in pipe:
                line = printed.rstrip()
                self._lines.append(line)
                self._file.emit(logging.makeLogRecord({"msg": line}))
                log.debug("%s", line)
                self.step = next((words for pattern, words in _STEPS if pattern.search(line)), self.step)
        with suppress(OSError):
            self._file.close()


def failure(lines: list[str]) -> str:
    """The error among ``lines`` without their prefixes: an exception's words, or what argparse complains of."""
    usage = next((match[1] for line in reversed(lines) if (match := _USAGE.match(line))), "")
    # An engine that was killed leaves no words of its own, but the process that waited for it tells.
    pointer = next((line for line in reversed(lines) if any(words in line for words in _POINTERS)), "")
    found = usage or cause(lines) or pointer
    if not _COMPLAINTS.search(found):
        return found
    # pydantic tells in many lines how many complaints there are, then of each the field, if any, and what is wrong.
    at = max(number for number, line in enumerate(lines) if _COMPLAINTS.search(line))
    told = [line.strip() for line in lines[at + 1 : at + 3] if line.startswith("  ")]
    field = [line.strip() for line in lines[at + 1 : at + 2] if not line.startswith("  ")]
    if not told:
        return found
    return ": ".join([*field, _AFTERTHOUGHT.sub("", told[0]).removeprefix("Value error, ")])


class _File(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk must not stop the server."""
