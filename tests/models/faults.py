"""How a server of the tests misbehaves, and what it remembers of a request."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

ALWAYS = sys.maxsize
HEADERS = -1  # Fault.stall: not even the status line comes


@dataclass
class Fault:
    """One way to misbehave, for the next ``times`` answers it fits; several ways may be combined.

    ``pattern`` is matched against the file's path in its repo and against the path of the URL; ``where`` ("hub" or
    "cdn") and ``method`` narrow it. What concerns a body waits for a GET that has one: a HEAD and a redirect pass.
    """

    pattern: str = "*"
    times: int = 1
    where: str = ""
    method: str = ""
    status: int = 0  # answer this instead, with ``headers`` (Retry-After, X-Error-Code, …)
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""  # say this ETag and X-Linked-ETag
    cut: int | None = None  # close after so many bytes of the body
    reset: int | None = None  # RST after so many bytes of the body
    stall: int | None = None  # after so many bytes of the body (or HEADERS), until released
    slow: int = 0  # bytes per second
    flip: int | None = None  # the byte at this place of the file is wrong
    short: int | None = None  # only so many bytes, and a Content-Length that says so
    ignore_range: bool = False  # the whole file with status 200
    used: int = field(default=0, init=False)
    _released: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def release(self) -> None:
        """Let what is stalled go on; later answers do not stall."""
        self._released.set()

    def pause(self, seconds: float | None = None) -> None:
        self._released.wait(seconds)

    def fits(self, request: Request, reply: Reply) -> bool:
        if self.used >= self.times or not request.matches(self.pattern):
            return False
        if (self.where or request.where) != request.where or (self.method or request.method) != request.method:
            return False
        places = (self.cut, self.reset, self.flip, self.short, None if self.stall == HEADERS else self.stall)
        if any(place is not None for place in places) or self.slow or self.ignore_range:
            start, end = requested_range(request.range, len(reply.body)) or (0, len(reply.body))
            return (
                (request.method, reply.status) == ("GET", 200)
                and (bool(request.range) or not self.ignore_range)
                and (self.flip is None or start <= self.flip < end)
            )
        return True


@dataclass(eq=False)
class Request:
    """What was asked, and what was answered so far."""

    where: str  # "hub" or "cdn"
    method: str
    path: str  # of the URL, decoded
    raw_path: str  # as it came, for what is quoted twice
    query: dict[str, str]
    range: str
    token: str  # as Authorization or a session cookie brought it
    user_agent: str
    repo: str = ""
    file: str = ""  # the file's path in its repo
    known: bool = True  # there is such an endpoint
    status: int = 0
    start: int = 0  # the first byte of the file that was asked for
    size: int | None = None  # of the whole file, where the body is of one
    sent: int = 0  # bytes of the body that were handed to the connection

    @property
    def whole(self) -> bool:
        """Whether this answer alone brought the whole file."""
        return self.method == "GET" and self.start == 0 and self.sent == self.size

    def matches(self, pattern: str) -> bool:
        return fnmatchcase(self.file, pattern) or fnmatchcase(self.path, pattern)


@dataclass
class Reply:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    repo: str = ""
    file: str = ""
    file_body: bool = False  # the body is the file's own, by ranges too
    known: bool = True  # there is such an endpoint


def json_reply(status: int, content: Any, headers: Mapping[str, str] = {}) -> Reply:
    return Reply(status, json.dumps(content).encode(), {"Content-Type": "application/json; charset=utf-8", **headers})


def requested_range(header: str, size: int) -> tuple[int, int] | None:
    """First byte and end (exclusive) of a Range header; None if it cannot be met."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header)
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    return (start, end) if start < end else None
