"""Server-sent events out of bytes that come cut anywhere.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation; of an event only
its data is of use here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 8 * 1024 * 1024
"""Bytes without an end of line after which this is no stream of events."""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_FIELD, _END = b"data: ", b"\n\n"
_BOM = b"\xef\xbb\xbf"


class EventReader:
    """Takes bytes as they come and gives the data of each event that has ended. Raises ValueError past LONGEST."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._looked = 0  # bytes of the rest in which there is no end of line
        self._data: list[bytes] = []
        self._began = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The events that ``piece`` completes; several lines of data come joined by line feeds."""
        # Servers mostly send whole events of one line of data, and for each token: these are not looked through twice.
        if self._began and not self._rest and not self._data and piece.startswith(_FIELD) and piece.endswith(_END):
            events = piece[len(_FIELD) : -len(_END)].split(_END + _FIELD)
            if not any(b"\n" in event or b"\r" in event for event in events):
                yield from events
                return
        self._rest += piece
        if not self._began and len(self._rest) >= len(_BOM):
            self._began = True
            if self._rest.startswith(_BOM):
                del self._rest[: len(_BOM)]
        at = 0
        while (end := _LINE_END.search(self._rest, max(at, self._looked))) is not None:
            if end.group() == b"\r" and end.end() == len(self._rest):
                break  # half of an end of line, perhaps
            line, at = bytes(self._rest[at : end.start()]), end.end()
            if line:
                self._take(line)
            elif self._data:
                yield b"\n".join(self._data)
                self._data = []
        del end  # it holds the bytes
        del self._rest[:at]
        self._looked = max(0, len(self._rest) - len(_BOM))
        if len(self._rest) > LONGEST:
            raise ValueError("a line without an end")

    def end(self) -> Iterator[bytes]:
        """What is left when the stream is over: servers forget the empty line after the last event."""
        if self._rest:
            self._take(bytes(self._rest).rstrip(b"\r\n"))
        if self._data:
            yield b"\n".join(self._data)
        self._rest, self._looked, self._data = bytearray(), 0, []

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
