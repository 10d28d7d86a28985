from __future__ import annotations

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
