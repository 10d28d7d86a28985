"""Trying again before the first token, and never after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator

import pytest

from app.engines import retry
from app.engines.retry import TryAgain, aretrying, pause, retrying
from app.errors import EngineUnavailable, IncompleteAnswer


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.001)


class Attempts:
    """Fails ``failures`` times, then gives two words; counts how often it was begun and closed."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.begun = self.closed = 0

    def __call__(self) -> Generator[str, None, None]:
        self.begun += 1
        try:
            if self.begun <= self.failures:
                raise TryAgain(EngineUnavailable(f"failure {self.begun}"))
            yield "one"
            yield "two"
        finally:
            self.closed += 1

    async def asynchronous(self) -> AsyncGenerator[str, None]:
        for word in self():
            yield word


async def gather(parts: AsyncGenerator[str, None]) -> list[str]:
    return [part async for part in parts]


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_it_tries_again_until_something_comes(failures: int) -> None:
    attempts = Attempts(failures)
    assert list(retrying(attempts, 3)) == ["one", "two"]
    assert attempts.begun == attempts.closed == failures + 1
    assert asyncio.run(gather(aretrying(Attempts(failures).asynchronous, 3))) == ["one", "two"]


@pytest.mark.parametrize("retries", [0, 2])
def test_it_gives_up_with_the_last_error(retries: int) -> None:
    with pytest.raises(EngineUnavailable, match=f"failure {retries + 1}"):
        list(retrying(Attempts(9), retries))
    with pytest.raises(EngineUnavailable, match=f"failure {retries + 1}"):
        asyncio.run(gather(aretrying(Attempts(9).asynchronous, retries)))


def test_other_errors_go_through() -> None:
    def broken() -> Generator[str, None, None]:
        yield "one"
        raise IncompleteAnswer("broke off")

    parts = retrying(broken, 3)
    assert next(parts) == "one"
    with pytest.raises(IncompleteAnswer):
        next(parts)


def test_closing_closes_the_attempt_at_once() -> None:
    attempts = Attempts(0)
    parts = retrying(attempts, 3)
    next(parts)
    parts.close()
    assert attempts.closed == 1


def test_pauses_grow_up_to_a_limit_and_vary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.5)
    for attempt, longest in enumerate([0.5, 1, 2, 4, 8, 8, 8]):
        pauses = {pause(attempt) for _ in range(20)}
        assert all(longest / 2 <= seconds <= longest for seconds in pauses)
        assert len(pauses) > 1
