from __future__ import annotations

import pytest

from app.ui.sizes import size


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"), (999, "999 B"), (1500, "1.5 KB"), (25_000, "25 KB"), (3_200_000, "3.2 MB"),
        (5_000_000_000, "5.0 GB"),
    ],
)  # fmt: skip
def test_sizes_are_readable(count: int, words: str) -> None:
    assert size(count) == words
