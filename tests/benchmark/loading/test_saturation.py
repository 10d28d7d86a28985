from __future__ import annotations

import random

import pytest

from app.benchmark.loading.arrivals import Schedule
from app.benchmark.loading.saturation import FEWEST, lag_valid, over_saturated
from app.benchmark.sample import Sample

InFlight = list[tuple[float, int]]


def queue(load: float, *, servers: int, seed: int, count: int = 400) -> tuple[list[Sample], InFlight]:
    """What comes at random to so many servers, each of which takes about a second; ``load`` 1 is all they can do."""
    lot = random.Random(seed)
    free = [0.0] * servers
    samples = []
    for index, when in enumerate(Schedule(load * servers, seed=seed).times(None, count)):
        server = min(range(servers), key=free.__getitem__)
        begin = max(when, free[server])
        free[server] = end = begin + max(0.1, lot.gauss(1.0, 0.3))
        samples.append(Sample(index, "1", when, when, begin + 0.1, end, end, "ok"))
    flights = [(one.sent, sum(other.sent <= one.sent < other.end for other in samples)) for one in samples]
    return samples, flights


@pytest.mark.parametrize("servers", [1, 8])
def test_a_line_that_grows_is_told_from_one_that_comes_and_goes(servers: int) -> None:
    calm = [over_saturated(*queue(0.7, servers=servers, seed=seed)) for seed in range(10)]
    much = [over_saturated(*queue(1.5, servers=servers, seed=seed)) for seed in range(10)]

    assert calm == [""] * 10
    assert all(much)
    assert "answers under way rose" in much[0]


def test_of_a_few_requests_nothing_is_said() -> None:
    samples, flights = queue(3.0, servers=1, seed=0, count=FEWEST - 1)

    assert over_saturated(samples, flights) == ""


def test_a_server_that_sends_prompts_away_is_full() -> None:
    samples = [
        Sample(index, "1", index, index, None, None, index + 0.1, "failed", kind="http_429")
        if index % 4 == 0
        else Sample(index, "1", index, index, index + 0.1, index + 0.2, index + 0.2, "ok")
        for index in range(40)
    ]

    assert "10 of 40" in over_saturated(samples, [(sample.sent, 1) for sample in samples])


def test_sending_is_valid_while_its_lag_is_small_beside_the_first_token() -> None:
    assert lag_valid(0.004, 0.1)
    assert not lag_valid(0.006, 0.1)
    assert lag_valid(0.0009, 0.001)  # finer than an event loop can be
    assert lag_valid(None, None)
