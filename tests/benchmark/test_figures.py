from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from app.benchmark.figures import Distribution, Spread, percentile

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300)


@given(VALUES, st.floats(0, 100))
def test_percentiles_are_numpys(values: list[float], percent: float) -> None:
    assert percentile(sorted(values), percent) == pytest.approx(np.percentile(values, percent), rel=1e-9, abs=1e-6)


@given(VALUES)
def test_percentiles_come_only_with_enough_values(values: list[float]) -> None:
    found = Distribution.of(values)

    assert found.n == len(values)
    assert (found.p95 is None) == (len(values) < 20)
    assert (found.p99 is None) == (len(values) < 100)
    assert found.min is not None and found.median is not None and found.max is not None
    assert found.min <= found.median <= found.max


def test_of_nothing_there_are_no_figures() -> None:
    assert Distribution.of([]).as_dict() == {
        "n": 0, "min": None, "max": None, "mean": None, "median": None, "p95": None, "p99": None,
    }  # fmt: skip
    assert Distribution.ms([None, None]).n == 0
    assert Spread.of([]) is None


@pytest.mark.parametrize("n", [2, 3, 10, 31, 32, 60])
def test_a_spread_is_students_interval(n: int) -> None:
    values = [float(number * number % 17) for number in range(n)]
    found = Spread.of(values)
    low, high = t.interval(0.95, n - 1, loc=np.mean(values), scale=np.std(values, ddof=1) / np.sqrt(n))

    assert found is not None
    assert (found.low, found.high) == (pytest.approx(low, rel=0.02), pytest.approx(high, rel=0.02))


def test_a_single_repeat_has_no_interval() -> None:
    assert Spread.of([4.0]) == Spread(4.0, None, None, 1)


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=6))
def test_how_many_times_is_never_below_nothing_and_turns_round_with_its_sides(values: list[float]) -> None:
    there, back = Spread.of_ratios(values), Spread.of_ratios([1 / value for value in values])

    assert there and back and there.low is not None and there.high is not None and back.high is not None
    assert 0 < there.low <= there.mean * 1.000001 and there.mean <= there.high * 1.000001
    assert math.isclose(there.mean * back.mean, 1, rel_tol=1e-6)
    assert math.isclose(there.low * back.high, 1, rel_tol=1e-6)


def test_the_spread_of_times_is_that_of_their_logarithms() -> None:
    found = Spread.of_ratios([1, 2, 4])

    assert found and found.low is not None and found.high is not None
    assert math.isclose(found.mean, 2)
    assert math.isclose(found.high, 2 * math.exp(4.303 * math.log(2) / math.sqrt(3)), rel_tol=1e-3)
    assert Spread.of_ratios([1]) == Spread(1.0, None, None, 1)
    assert Spread.of_ratios([]) is None
