"""The lines of a stream, however its bytes come.

httpx would end a line at any of Unicode's line ends too, and U+0085 may stand unescaped in the JSON of a line.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable


def lines(pieces: Iterable[bytes]) -> Generator[bytes]:
    """The lines that are not blank, the last one also where its end is missing."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from filter(bytes.strip, whole)
    if rest.strip():
        yield rest


async def alines(pieces: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """The asynchronous twin of :func:`lines`."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in filter(bytes.strip, whole):
            yield line
    if rest.strip():
        yield rest
