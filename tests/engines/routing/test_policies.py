from __future__ import annotations

import heapq
import random
from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config_llm import PolicyName
from app.engines.routing.latency import PeakEwma
from app.engines.routing.policies import Affinity, InOrder, LeastBusy, LeastLatency, Load, Policy, RoundRobin, policy

loads = st.lists(
    st.builds(
        Load,
        name=st.text("abcdefgh", min_size=1, max_size=3),
        weight=st.floats(0.01, 100),
        in_flight=st.integers(0, 1000),
        ttft=st.one_of(st.none(), st.floats(0, 100)),
        share=st.floats(0.1, 1.0),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda load: load.name,
)


def three(*in_flight: int, weights: tuple[float, ...] = (1, 1, 1), ttft: tuple[float | None, ...] = ()) -> list[Load]:
    counts, known = in_flight or (0, 0, 0), ttft or (None, None, None)
    return [Load(name, weights[n], counts[n], known[n]) for n, name in enumerate("abc")]


def shares(chosen: Policy, routes: list[Load], times: int = 3000) -> dict[str, float]:
    picked = Counter(chosen.pick(routes, str(number)).name for number in range(times))
    return {route.name: picked[route.name] / times for route in routes}


@given(loads, st.text(max_size=20), st.sampled_from([None, *get_args(PolicyName)]), st.booleans())
def test_every_policy_picks_one_of_them_whatever_they_are(
    routes: list[Load], key: str, name: PolicyName | None, default_route: bool
) -> None:
    chosen = policy(name, default_route=default_route)
    for _ in range(3):
        assert chosen.pick(routes, key) in routes


def test_without_a_policy_the_default_route_comes_first_where_one_is_named() -> None:
    assert isinstance(policy(None, default_route=True), InOrder)
    assert isinstance(policy(None, default_route=False), LeastLatency)
    assert policy(None, default_route=True).pick(three(9, 0, 0), "").name == "a"


def test_round_robin_takes_turns_exactly() -> None:
    chosen = RoundRobin()
    assert [chosen.pick(three(), "").name for _ in range(6)] == list("abcabc")


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.integers(1, 5))
def test_round_robin_keeps_to_the_weights_and_spreads_them(weights: list[int], rounds: int) -> None:
    chosen, routes = RoundRobin(), [Load(str(n), weight, 0, None) for n, weight in enumerate(weights)]
    total = sum(weights)
    order = [chosen.pick(routes, "").name for _ in range(total * rounds)]
    for n, weight in enumerate(weights):
        assert order.count(str(n)) == weight * rounds
        for begin in range(0, len(order) - total, 3):  # any stretch of the order is fair within one turn a rival
            assert abs(order[begin : begin + total].count(str(n)) - weight) <= len(weights)


def test_least_busy_counts_answers_under_way_by_weight() -> None:
    assert LeastBusy().pick(three(2, 1, 3), "").name == "b"
    assert LeastBusy().pick(three(2, 1, 3, weights=(4, 1, 1)), "").name == "a"
    even = shares(LeastBusy(), three())
    assert all(0.28 < share < 0.39 for share in even.values())


def test_least_latency_leaves_a_slow_route_nearly_alone_without_herding() -> None:
    slow = shares(LeastLatency(), three(ttft=(0.1, 0.1, 0.5)))
    assert slow["c"] < 0.01
    assert abs(slow["a"] - slow["b"]) < 0.1  # the two equal ones share
    assert shares(LeastLatency(), three(0, 0, 9, ttft=(0.1, 0.1, 0.1)))["c"] < 0.01
    busy_but_fast = shares(LeastLatency(), three(4, 0, 0, ttft=(0.05, 0.5, 0.5)))
    assert busy_but_fast["a"] > 0.6


def simulated(slowness: tuple[float, ...], readers: int, answers: int = 3000) -> list[float]:
    """The share of each route, of readers who ask all the time; a virtual clock, times that vary by a third."""
    lot, clock = random.Random(1), 0.0
    ewmas = [PeakEwma(lambda: clock) for _ in slowness]
    in_flight, counts = [0] * len(slowness), [0] * len(slowness)
    ends: list[tuple[float, int, float]] = []
    chosen = LeastLatency()
    for _ in range(answers):
        if len(ends) == readers:
            clock, route, ttft = heapq.heappop(ends)
            in_flight[route] -= 1
            ewmas[route].sample(ttft)
        loads = [Load(str(n), 1.0, in_flight[n], ewmas[n].faded) for n in range(len(slowness))]
        route = int(chosen.pick(loads, "").name)
        in_flight[route] += 1
        counts[route] += 1
        varied = slowness[route] * lot.uniform(0.67, 1.33)
        heapq.heappush(ends, (clock + varied, route, 0.1 * varied))
    return [count / answers for count in counts]


@pytest.mark.parametrize("readers", [1, 4, 16, 32, 64])
def test_a_route_that_is_five_times_slower_gets_a_quarter_of_its_even_share_at_most(readers: int) -> None:
    random.seed(1)
    fast, other, slow = simulated((1.0, 1.0, 5.0), readers)
    assert slow <= 1 / 3 / 4
    assert readers == 1 or abs(fast - other) < 0.15  # a single reader may stay where it is quickest


def test_a_route_that_nobody_knows_is_taken_for_a_usual_one() -> None:
    new = shares(LeastLatency(), three(ttft=(0.1, 0.1, None)))
    assert 0.25 < new["c"] < 0.42


def test_a_conversation_stays_and_only_those_of_a_lost_route_move() -> None:
    chosen, routes = Affinity(), three()
    before = {key: chosen.pick(routes, key).name for key in map(str, range(300))}
    again = {key: chosen.pick(list(reversed(routes)), key).name for key in before}
    assert again == before
    assert all(70 < count < 130 for count in Counter(before.values()).values())
    left = [route for route in routes if route.name != "b"]
    for key, name in before.items():
        after = chosen.pick(left, key).name
        assert after == name if name != "b" else after in "ac"


def test_affinity_keeps_to_the_weights() -> None:
    weighted = shares(Affinity(), three(weights=(3, 1, 1)))
    assert 0.55 < weighted["a"] < 0.65


def test_a_conversation_moves_when_its_route_has_too_much_to_do_and_always_to_the_same_one() -> None:
    chosen = Affinity()
    key = next(key for key in map(str, range(100)) if chosen.pick(three(), key).name == "a")
    assert chosen.pick(three(3, 3, 3), key).name == "a"
    moved = {chosen.pick(three(60, 3, 3), key).name for _ in range(20)}
    assert len(moved) == 1 and moved != {"a"}


@given(st.integers(0, 10_000))
def test_affinity_never_exceeds_its_bound(seed: int) -> None:
    lot, in_flight = random.Random(seed), Counter[str]()
    chosen = Affinity()
    for number in range(60):
        routes = [Load(name, 1.0, in_flight[name], None) for name in "abc"]
        in_flight[chosen.pick(routes, lot.choice("xy")).name] += 1  # two conversations that ask all the time
        assert max(in_flight.values()) <= 1.25 * (number + 1) / 3 + 2


def test_slow_start_holds_for_every_policy() -> None:
    routes = [Load("a", 1, 1, 0.1), Load("b", 1, 1, 0.1, share=0.1)]
    for name in get_args(PolicyName):
        if name != "affinity":  # there it limits how much at once
            assert shares(policy(name, default_route=False), routes, 1000)["b"] < 0.15, name


@pytest.mark.parametrize("key", ["", "x" * 10_000, "对话", "\ud800"])
def test_any_conversation_has_a_name(key: str) -> None:
    assert Affinity().pick(three(), key).name in "abc"
