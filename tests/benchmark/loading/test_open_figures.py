from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.benchmark.loading.arrival_times import coming
from app.benchmark.loading.open_figures import goodput_of, kept_of
from app.benchmark.loading.request import ArrivalRequest
from app.benchmark.sample import Sample
from tests.benchmark.reports import arrival_report


@given(begun=st.floats(0, 1e7), rate=st.floats(0.01, 1000), count=st.integers(1, 30))
def test_whatever_the_clock_says_all_count_where_nothing_is_cut(begun: float, rate: float, count: int) -> None:
    request = ArrivalRequest(rate=rate, count=count, warm_up=0)
    plan = coming(request, lambda count: [])
    samples = [
        Sample(index, "1", begun + when, begun + when, None, None, begun + when, "ok")
        for index, when in enumerate(plan.times)
    ]

    assert all(sample.kept for sample in kept_of(samples, plan, request)[0])


def test_an_answer_that_takes_just_the_limit_keeps_it() -> None:
    """1.1 - 0.8 is a little more than 0.3 in a computer's numbers."""
    report = arrival_report(samples=(Sample(0, "1", 0.8, 0.8, 1.1, 1.1, 1.1, "ok"),))

    just, less = goodput_of(report, {"ttft_ms": 300.0, "e2e_ms": 300.0}), goodput_of(report, {"e2e_ms": 299.999})
    assert just is not None and just.good == 1
    assert less is not None and less.good == 0
