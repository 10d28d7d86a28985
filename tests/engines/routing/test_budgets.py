from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.engines.routing.budgets import WINDOW, Budget
from app.engines.routing.latency import FADES, PeakEwma


@given(st.lists(st.tuples(st.sampled_from("qs"), st.floats(0, 3)), max_size=300), st.floats(0, 1), st.floats(0, 5))
def test_no_more_is_spent_than_allowed(steps: list[tuple[str, float]], share: float, floor: float) -> None:
    now = 0.0
    budget = Budget(share, floor, lambda: now)
    questions: list[float] = []
    spent: list[float] = []
    for kind, seconds in steps:
        now += seconds
        if kind == "q":
            budget.question()
            questions.append(now)
        elif budget.spend():
            spent.append(now)
            recent = [time for time in questions if time > now - WINDOW]
            assert len([time for time in spent if time > now - WINDOW]) <= max(share * len(recent), floor * WINDOW)


def test_it_lets_through_a_share_and_a_floor() -> None:
    now = 0.0
    budget = Budget(0.2, 3.0, lambda: now)
    assert sum(budget.spend() for _ in range(100)) == 30
    for _ in range(1000):
        budget.question()
    assert sum(budget.spend() for _ in range(1000)) == 170
    now = WINDOW
    assert sum(budget.spend() for _ in range(100)) == 30


def test_a_slower_sample_counts_at_once_a_faster_one_bit_by_bit() -> None:
    now = 0.0
    ewma = PeakEwma(lambda: now)
    assert ewma.value is None and ewma.faded is None
    ewma.sample(1.0)
    ewma.sample(3.0)
    assert ewma.value == 3.0
    ewma.sample(1.0)
    assert ewma.value == ewma.faded == 3.0 - 0.3 * 2.0
    now = FADES
    assert ewma.value == 2.4 and ewma.faded is not None and 0.36 < ewma.faded / 2.4 < 0.37
    ewma.sample(1.0)
    assert ewma.faded == ewma.value
    ewma.forget()
    assert ewma.value is None


@given(st.lists(st.floats(0, 1000), min_size=1))
def test_it_stays_between_the_least_and_the_most(samples: list[float]) -> None:
    ewma = PeakEwma(lambda: 0.0)
    for sample in samples:
        ewma.sample(sample)
        assert ewma.value is not None and ewma.value >= sample * 0.999
    assert min(samples) - 1e-6 <= (ewma.value or 0) <= max(samples) + 1e-6
