"""How often a key may ask, by a clock that the tests set."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from app.api.rate import RateLimit


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


pauses = st.lists(st.floats(0, 90, allow_nan=False), min_size=1, max_size=80)


@given(st.integers(1, 20), pauses)
def test_in_no_stretch_of_time_more_than_the_rate_and_one_burst(per_minute: int, waits: list[float]) -> None:
    clock, granted = Clock(), []
    rate = RateLimit(per_minute, clock)
    for wait in waits:
        clock.now += wait
        granted += [clock.now for _ in range(3) if not rate.take(1)]
    for first, begun in enumerate(granted):
        for last, ended in enumerate(granted[first:], first):
            assert last - first + 1 <= per_minute + (ended - begun) * per_minute / 60 + 1e-6


@given(st.integers(1, 2000), st.integers(0, 200))
def test_who_waits_as_long_as_told_is_let_in(per_minute: int, before: int) -> None:
    clock = Clock()
    rate = RateLimit(per_minute, clock)
    for _ in range(before):
        rate.take(1)
    while seconds := rate.take(1):
        assert before >= per_minute and 1 <= seconds <= 60
        clock.now += seconds
        before = max(before, per_minute)
        assert rate.take(1) == 0
        break


@given(st.integers(1, 30))
def test_a_burst_is_one_minutes_worth_and_comes_back_in_a_minute(per_minute: int) -> None:
    clock = Clock()
    rate = RateLimit(per_minute, clock)
    for _ in range(2):
        assert sum(rate.take(1) == 0 for _ in range(3 * per_minute)) == per_minute
        clock.now += 60


def test_each_key_has_its_own_and_zero_is_no_limit() -> None:
    rate = RateLimit(1, Clock())
    assert [rate.take(1), rate.take(2)] == [0, 0]
    assert rate.take(1) and rate.take(2)
    free = RateLimit(0, Clock())
    assert not any(free.take(1) for _ in range(1000))


def test_many_threads_get_no_more_than_one_would() -> None:
    rate, start = RateLimit(50, Clock()), threading.Barrier(8)

    def take(_: int) -> int:
        start.wait()
        return sum(rate.take(1) == 0 for _ in range(25))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 50
