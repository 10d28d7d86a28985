"""Many readers who ask all the time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from tests.api.conftest import Written
from tests.api.parts import BEARER, ENGLISH, KEYS, chat, settled, writing
from tests.api.readers import keep_asking
from tests.api.upstream import Upstream


def test_more_readers_than_places_are_answered_or_told_to_come_again(written: Written) -> None:
    url = f"{written.server.url}/v1"
    got = asyncio.run(keep_asking(url, chat(ENGLISH), 3, 24, KEYS[0]))
    assert got.statuses.keys() <= {200, 429}
    assert got.statuses[200] == len(got.whole) > 20
    assert got.statuses[429] > 0, "12 find no place at first"
    settled(written.server.url, BEARER, 3)


@pytest.mark.soak
def test_a_minute_of_64_readers_costs_no_memory(tmp_path: Path) -> None:
    with Upstream() as upstream, writing(tmp_path / "state", upstream) as running:
        process = psutil.Process(running.pid)

        def load(seconds: float) -> tuple[int, int]:
            got = asyncio.run(keep_asking(f"{running.url}/v1", chat(ENGLISH), seconds, 64, KEYS[0]))
            assert got.statuses.keys() <= {200, 429}, got.statuses
            upstream.asked.clear()
            settled(running.url, BEARER)
            return len(got.whole), process.memory_info().rss

        _, warm = load(15)
        answers, after = load(60)
        assert answers > 500
        assert after - warm < 40_000_000, f"{(after - warm) / 1e6:.0f} MB more after {answers} answers"
        assert "Traceback" not in running.log.read_text()
