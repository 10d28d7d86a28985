from __future__ import annotations

import pytest

from app.sizes import duration, figure, left, size


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"), (999, "999 B"), (1500, "1.5 KB"), (25_000, "25 KB"), (3_200_000, "3.2 MB"),
        (5_000_000_000, "5.0 GB"),
    ],
)  # fmt: skip
def test_sizes_are_readable(count: int, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0:00"), (42.2, "0:42"), (725, "12:05"), (11049, "3:04:09")])
def test_a_duration_is_written_as_on_a_clock(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_what_is_left_is_told_where_the_rate_is_known() -> None:
    assert left(250, 1000, 50) == 15
    assert left(250, 1000, 0) is None
    assert left(1000, 1000, 50) is None
    assert left(10, 0, 50) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "–"), (0, "0"), (0.41234, "0.412"), (5.0, "5"), (48.26, "48.3"), (99.96, "100"), (1234.5, "1,234")],
)
def test_figures_have_three_digits_that_say_something(value: float | None, words: str) -> None:
    assert figure(value) == words
