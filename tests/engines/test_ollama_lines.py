from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from app.engines.ollama_lines import alines, lines


@given(st.lists(st.binary(max_size=8).map(lambda data: data + b"\n"[: len(data) % 2]), max_size=12))
def test_lines_are_the_same_however_they_are_cut_and_never_blank(pieces: list[bytes]) -> None:
    async def asynchronous() -> list[bytes]:
        async def come() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        return [line async for line in alines(come())]

    expected = [line for line in b"".join(pieces).split(b"\n") if line.strip()]
    assert list(lines(pieces)) == expected
    assert asyncio.run(asynchronous()) == expected
