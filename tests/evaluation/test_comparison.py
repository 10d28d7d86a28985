from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation.comparison import chance, compare
from app.evaluation.words import verdict
from tests.evaluation.parts import record, run


def test_questions_won_and_lost_are_named() -> None:
    one = run(record(1, 3), record(2, 1), record(3, None), record(4, 1), record(9, 1))
    other = run(record(1, 1), record(2, 2), record(3, 10), record(4, 1), record(8, 1))
    found = compare(one, other)
    assert found.common == 4
    assert [(item.id, item.one, item.other) for item in found.won] == [("q1", 3, 1), ("q3", None, 10)]
    assert [(item.id, item.one, item.other) for item in found.lost] == [("q2", 1, 2)]
    assert found.differences["hit@1"].difference == 0.0
    assert not found.differences["mrr@10"].real


def test_a_clear_difference_is_more_than_chance() -> None:
    one = run(*[record(number, 2 if number < 12 else 1) for number in range(20)])
    found = compare(one, run(*[record(number, 1) for number in range(20)]))
    assert found.better("mrr@10") is True
    assert compare(run(*[record(number, 1) for number in range(20)]), one).better("mrr@10") is False
    assert found.differences["mrr@10"].p == pytest.approx(2 / 2**12)
    (told,) = verdict(found, "en")
    assert "better by more than chance (p < 0.001)" in told
    assert "不只是偶然" in verdict(found, "zh")[0]


def test_fewer_refusals_of_what_can_be_answered_are_better() -> None:
    one = run(*[record(number, refused=True) for number in range(10)])
    found = compare(one, run(*[record(number) for number in range(10)]))
    assert found.better("refused_answerable") is True
    assert "better" in verdict(found, "en")[0]


def test_runs_that_are_the_same_or_have_nothing_in_common_say_so() -> None:
    one = run(record(1), record(2, answerable=False))
    assert verdict(compare(one, one), "en") == ["Both find the same for every question."]
    assert verdict(compare(one, run(record(3))), "en") == ["The two have no question in common."]
    assert compare(one, run(record(3))).differences == {}


@given(st.lists(st.floats(-1, 1), max_size=12))
def test_chance_is_a_probability_that_takes_no_sides(differences: list[float]) -> None:
    p = chance(differences)
    assert 0.0 < p <= 1.0
    assert chance([-value for value in differences]) == pytest.approx(p)
    assert chance([*differences, 0.0, 0.0]) == pytest.approx(p), "questions that do not differ have no say"


@pytest.mark.parametrize(("wins", "losses"), [(1, 0), (5, 0), (9, 1), (30, 12)])
def test_equal_differences_are_tested_by_their_signs(wins: int, losses: int) -> None:
    total = wins + losses
    tail = sum(comb(total, heads) for heads in range(min(wins, losses) + 1)) / 2**total
    assert chance([0.5] * wins + [-0.5] * losses) == pytest.approx(min(1.0, 2 * tail))


def test_an_estimate_is_near_the_exact_value_and_the_same_every_time() -> None:
    differences = [0.5, 0.3, -0.2, 0.25, 0.1, 0.9, -0.4, 0.15, 0.35, 0.05, 0.45, 0.21, -0.11, 0.31]
    exact = chance(differences)
    estimated = chance([*differences, 1e-7, -1e-7])  # two more make it too many to try all
    assert estimated == pytest.approx(exact, abs=0.01)
    assert estimated == chance([*differences, 1e-7, -1e-7])
