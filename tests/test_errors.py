"""The error tree: codes, one-line texts, and the way to JSON and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.errors import EngineError, HotswapError, ModelMissing, OutOfMemory, one_line

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HotswapError)]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_survives_the_way_to_json_and_back(kind: type[HotswapError]) -> None:
    error = kind("What happened.", "What to do.")

    back = HotswapError.from_dict(error.as_dict())

    assert type(back) is kind
    assert (back.message, back.hint, str(back)) == ("What happened.", "What to do.", "What happened. What to do.")


def test_codes_are_snake_case_and_belong_to_one_error_each() -> None:
    codes = [kind("x").code for kind in ALL]

    assert ModelMissing("x").code == "model_missing"
    assert OutOfMemory("x").code == "out_of_memory"
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_is_drawn_in_the_tree_under_its_parent(kind: type[HotswapError]) -> None:
    tree = errors.__doc__ or ""
    lines = tree.splitlines()
    drawn = [line for line in lines if kind.__name__ in line.split()]

    assert len(drawn) == 1
    if kind is not HotswapError:
        depth = drawn[0].index(kind.__name__)
        above = [line for line in lines[: lines.index(drawn[0])] if line.strip("│├└─ ")]
        parent = next(line for line in reversed(above) if len(line) - len(line.lstrip("│├└─ ")) < depth)
        assert kind.__bases__[0].__name__ in parent.split()


def test_an_unknown_code_is_still_an_error() -> None:
    error = HotswapError.from_dict({"code": "from_the_future", "message": "Something new."})

    assert type(error) is HotswapError
    assert str(error) == "Something new."


def test_an_empty_answer_of_a_server_is_still_an_error() -> None:
    assert str(HotswapError.from_dict({})) == ""


@given(st.text(), st.text())
def test_message_and_hint_are_one_line_each(message: str, hint: str) -> None:
    error = EngineError(message, hint)

    assert len(f"{error}".splitlines()) <= 1
    assert error.message == one_line(message)


def test_one_line_folds_white_space_of_every_kind() -> None:
    assert one_line("  a\n\tb\r\n\u3000c ") == "a b c"
