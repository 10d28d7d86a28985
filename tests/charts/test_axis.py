from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.charts.axis import Axis, fitting, marked, number, powers, rates, shares, span, upto

POSITIVE = st.floats(1e-6, 1e12)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"), (0.05, "0.05"), (0.30000000000000004, "0.3"), (1.5, "1.5"), (12, "12"), (340, "340"),
        (1200, "1,200"), (9999, "9,999"), (10_000, "10k"), (34_500, "34.5k"), (250_000, "250k"), (1.2e6, "1.2M"),
        (3e9, "3G"), (-12.5, "-12.5"), (1e15, "1e+15"), (0.0001, "0.0001"),
    ],
)  # fmt: skip
def test_numbers_are_short(value: float, words: str) -> None:
    assert number(value) == words


@given(POSITIVE)
def test_an_axis_reaches_the_largest_value_and_not_much_further(most: float) -> None:
    axis = upto("", most)

    assert axis.low == 0 and most <= axis.high * (1 + 1e-6) <= 2.1 * most
    assert 2 <= len(axis.ticks) <= 8
    _is_sound(axis)


@given(st.floats(-1e6, 1e6), st.floats(1e-2, 1e9))
def test_an_axis_may_end_where_its_values_do(low: float, wide: float) -> None:
    axis = span("", low, low + wide)

    assert (axis.low, axis.high) == (low, low + wide)
    assert 2 <= len(axis.ticks) <= 8
    _is_sound(axis)


@given(st.lists(st.floats(0, 1e9)))
def test_far_apart_values_get_a_log_axis(values: list[float]) -> None:
    axis = fitting("", values)

    assert axis.high >= max(values, default=0)
    assert axis.log == (max(values, default=0) >= 20 * min((value for value in values if value > 0), default=1e99))


@given(POSITIVE, st.floats(1, 1e5))
def test_a_log_axis_lies_around_its_values(low: float, times: float) -> None:
    axis = powers("", low, low * times)

    assert axis.low <= low * (1 + 1e-6) and low * times <= axis.high * (1 + 1e-6)
    assert axis.share(math.sqrt(axis.low * axis.high)) == pytest.approx(0.5)
    _is_sound(axis)


@pytest.mark.parametrize("axis", [rates(), shares(), marked("", (1, 8, 32), log=True), upto("", 0)])
def test_every_axis_is_sound(axis: Axis) -> None:
    _is_sound(axis)


def test_what_lies_beyond_an_axis_is_at_its_end() -> None:
    assert [upto("", 10).share(value) for value in (-5, 0, 5, 50)] == [0, 0, 0.5, 1]
    assert powers("", 1, 100).share(0) == 0  # which has no logarithm


def _is_sound(axis: Axis) -> None:
    ticks = [tick for tick, _ in axis.ticks]
    assert ticks == sorted(set(ticks)) and axis.low < axis.high
    assert all(words for _, words in axis.ticks)
    assert axis.share(axis.low) == 0 and axis.share(axis.high) == pytest.approx(1)
    assert all(0 <= axis.share(tick) <= 1 for tick in ticks)
