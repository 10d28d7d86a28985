"""Profiles of vLLM's arguments: how they are named, joined and explained."""

from __future__ import annotations

import itertools

import pytest

from app.config_print import profiles_page
from app.config_vllm_profiles import PROFILES, chosen, profile_arguments

CARDS = [name for name, profile in PROFILES.items() if profile.kind == "card"]
GOALS = [name for name, profile in PROFILES.items() if profile.kind == "goal"]


def test_the_cards_and_the_goals() -> None:
    assert CARDS == ["24gb", "20-24gb", "under-20gb"]
    assert GOALS == ["latency", "throughput", "memory"]


def test_no_name_is_no_profile() -> None:
    assert chosen("") == ()
    assert profile_arguments("") == {}


@pytest.mark.parametrize(("card", "goal"), list(itertools.product(CARDS, GOALS)))
def test_a_goal_goes_over_a_card_in_either_order(card: str, goal: str) -> None:
    expected = {**profile_arguments(card), **profile_arguments(goal)}

    assert profile_arguments(f"{card}+{goal}") == expected
    assert profile_arguments(f" {goal.upper()} + {card}") == expected


@pytest.mark.parametrize(("card", "goal"), list(itertools.product([*CARDS, ""], [*GOALS, ""])))
def test_a_step_has_room_for_every_answer_that_runs(card: str, goal: str) -> None:
    """vLLM refuses fewer tokens a step than answers at once."""
    found = profile_arguments("+".join(name for name in (card, goal) if name))

    assert found.get("max_num_batched_tokens", 1) >= found.get("max_num_seqs", 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("24", "has '24', which is no profile (did you mean 24gb?)"),
        ("fast", "has 'fast', which is no profile (there are 20-24gb, 24gb, latency, memory, throughput, under-20gb)"),
        ("24gb+", "has '', which is no profile (there are "),
        ("24gb+under-20gb", "is '24gb+under-20gb', but must be one card, one goal, or one of each"),
        ("latency+throughput", "is 'latency+throughput', but must be one card, one goal, or one of each"),
        ("24gb+latency+memory", "is '24gb+latency+memory', but must be one card, one goal, or one of each"),
        ("24gb+24gb", "is '24gb+24gb', but must be one card, one goal, or one of each"),
    ],
)
def test_a_wrong_name_is_told(name: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        chosen(name)

    assert str(caught.value).startswith(message)


def test_a_smaller_card_asks_for_less() -> None:
    by_size = [profile_arguments(name) for name in CARDS]

    for name in ("max_model_len", "max_num_seqs", "max_num_batched_tokens"):
        values = [found[name] for found in by_size]
        assert values == sorted(values, reverse=True)


def test_every_value_has_its_reason_on_the_page() -> None:
    page = profiles_page()

    for profile in PROFILES.values():
        assert f"`{profile.name}`" in page
        for argument in profile.arguments:
            assert len(argument.reason.split()) > 5
            assert argument.reason in page
