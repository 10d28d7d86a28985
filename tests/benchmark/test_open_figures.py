from __future__ import annotations

from app.benchmark.open_figures import goodput_of
from app.benchmark.sample import Sample
from tests.benchmark.reports import arrival_report


def test_an_answer_that_takes_just_the_limit_keeps_it() -> None:
    """1.1 - 0.8 is a little more than 0.3 in a computer's numbers."""
    report = arrival_report(samples=(Sample(0, "1", 0.8, 0.8, 1.1, 1.1, 1.1, "ok"),))

    just, less = goodput_of(report, {"ttft_ms": 300.0, "e2e_ms": 300.0}), goodput_of(report, {"e2e_ms": 299.999})
    assert just is not None and just.good == 1
    assert less is not None and less.good == 0
