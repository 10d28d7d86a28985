from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.columns import columns, left, right, shortened


@pytest.mark.parametrize(("text", "wide"), [("", 0), ("vllm", 4), ("首字延迟", 8), ("p95（毫秒）", 11), ("é", 1)])
def test_chinese_characters_take_two_columns(text: str, wide: int) -> None:
    assert columns(text) == wide


@given(st.text(), st.integers(1, 40))
def test_what_is_shortened_fits(text: str, most: int) -> None:
    found = shortened(text, most)

    assert columns(found) <= most
    assert found == text or (found.endswith("…") and text.startswith(found[:-1]))


def test_padding_counts_columns() -> None:
    assert left("引擎", 6) + "|" == "引擎  |"
    assert right("引擎", 6) == "  引擎"
    assert right("too long", 3) == "too long"
