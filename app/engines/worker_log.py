"""What worker processes print: the step they are at, and the reason when they fail. The terminal sees none of it."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections import deque

log = logging.getLogger(__name__)

KEPT_LINES = 500
_PREFIX = re.compile(r"^(?:\([\w ]+ pid=\d+\) )*(?:(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) )?")
_ERROR = re.compile(r"^((?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)): (\S.*)$")
_POINTER = re.compile(
    r"(?:See (?:root cause|stack trace|the stack trace)|in a background process|encountered an issue|"
    r"cancelled|Failed core proc)",
    re.IGNORECASE,
)
_STEPS = (  # what vLLM and transformers print, in the words of the product
    (re.compile(r"load\w*\b.*\b(?:weight|model|checkpoint|safetensors)", re.IGNORECASE), "loading the weights"),
    (re.compile(r"compil|inductor|dynamo", re.IGNORECASE), "compiling"),
    (re.compile(r"captur\w*.*graph|graph\w*.*captur", re.IGNORECASE), "capturing CUDA graphs"),
    (re.compile(r"KV cache", re.IGNORECASE), "making room for the context"),
    (re.compile(r"warm", re.IGNORECASE), "warming up"),
)


class WorkerLog:
    """A pipe: processes write to ``write_end``, a thread of ours reads until the last of them has ended."""

    def __init__(self) -> None:
        self.step = "starting vLLM"
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._read_end, self.write_end = os.pipe()
        self._thread = threading.Thread(target=self._read, name="worker-log", daemon=True)
        self._thread.start()

    def close_our_end(self) -> None:
        """No more processes are started with it."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def cause(self, seconds: float = 1.0) -> str:
        """The error that ended the processes, as ``Name: message``, waiting so long for their last words.

        Empty where none was printed. Of several it is the last that does not only point at another one.
        """
        self._thread.join(seconds)
        return cause(list(self._lines))

    def _read(self) -> None:
        with open(self._read_end, encoding="utf-8", errors="replace") as pipe:
            for printed in pipe:
                line = _PREFIX.sub("", printed.rstrip())
                self._lines.append(line)
                log.debug("%s", line)
                self.step = next((words for pattern, words in _STEPS if pattern.search(line)), self.step)


def cause(lines: list[str]) -> str:
    """The error among printed ``lines``; see :meth:`WorkerLog.cause`."""
    found = [match for line in lines if (match := _ERROR.match(line)) and not _POINTER.search(line)]
    return f"{found[-1][1].rpartition('.')[2]}: {found[-1][2]}" if found else ""
