from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.benchmark.monitor.vllm_metrics import Labels, MetricsFault, NoMetrics, Reading, ServerMetrics
from app.benchmark.monitor.vllm_watch import VllmWatch
from tests.benchmark.metrics_server import BEGIN, DURING, END, cuts, serving, tells

ONE: Labels = (("engine", "0"),)
OTHER: Labels = (("engine", "1"),)


class Told:
    """Tells ``readings`` one after the other; an error among them is raised."""

    def __init__(self, readings: Sequence[Reading | MetricsFault]) -> None:
        self._readings = iter(readings)

    def read(self) -> Reading:
        told = next(self._readings)
        if isinstance(told, MetricsFault):
            raise told
        return told


def watched(*readings: Reading | MetricsFault) -> VllmWatch:
    watch = VllmWatch(Told(readings))
    for _ in readings:
        watch.look()
    return watch


def test_what_a_real_vllm_did_while_it_was_recorded() -> None:
    with serving(tells(BEGIN), tells(DURING), tells(END)) as server:
        watch = VllmWatch(ServerMetrics(server.base))
        for _ in range(3):
            watch.look()

    assert watch.note == ""
    assert watch.report() == {
        "kv_cache_use_mean": 1.0,
        "kv_cache_use_peak": 1.0,
        "preemptions": 54,
        "prefix_cache": {"queries": 8240, "hits": 4992, "rate": 0.605825},
        "speculation": {
            "drafts": 1992,
            "draft_tokens": 5900,
            "accepted_tokens": 5897,
            "acceptance_rate": 0.999492,
            "mean_accepted_length": 3.9603,
        },
        "prompt_tokens": 8240,
        "generation_tokens": 8000,  # 40 answers of 200
        "running_peak": 14,
        "waiting_peak": 0,
    }


def test_what_is_not_there_is_none() -> None:
    watch = watched({"prompt_tokens": {ONE: 3}}, {"prompt_tokens": {ONE: 5}}, {"prompt_tokens": {ONE: 9}})

    report = watch.report()
    assert report is not None
    assert report.pop("prompt_tokens") == 6
    assert set(report.values()) == {None}


def test_nothing_asked_and_nothing_drafted_have_no_rate() -> None:
    still: Reading = {name: {ONE: 7} for name in ("queries", "hits", "drafts", "draft_tokens", "accepted_tokens")}
    watch = watched(still, {**still, "prompt_tokens": {ONE: 1}})

    report = watch.report()
    assert report is not None and watch.note == ""
    assert report["prefix_cache"] == {"queries": 0, "hits": 0, "rate": None}
    assert report["speculation"]["acceptance_rate"] is report["speculation"]["mean_accepted_length"] is None


def test_gauges_count_between_the_first_look_and_the_last() -> None:
    def gauges(use: tuple[float, float], running: int) -> Reading:
        return {"kv_cache_use": {ONE: use[0], OTHER: use[1]}, "running": {ONE: running, OTHER: 1}}

    watch = watched(gauges((0, 0), 0), gauges((0.2, 0.4), 3), gauges((0.9, 0.1), 5), gauges((1, 1), 50))

    report = watch.report()
    assert report is not None
    assert (report["kv_cache_use_mean"], report["kv_cache_use_peak"]) == (0.4, 0.9)
    assert report["running_peak"] == 6  # of both engines together


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans()), min_size=1, max_size=30))
def test_counters_add_up_over_engines_and_restarts(steps: list[tuple[int, int, bool]]) -> None:
    """Each step both engines write some tokens; where it says so, they begin at nothing before."""
    shown, readings, written = [100, 200], [], 0
    readings.append({"generation_tokens": {ONE: shown[0], OTHER: shown[1]}})
    restarts = False
    for one, other, restart in steps:
        if restart:
            # One that has written more than it showed before its restart cannot be found out.
            seen = shown[0] > one and shown[1] > other
            shown, restarts = ([0, 0], True) if seen else (shown, restarts)
        shown = [shown[0] + one, shown[1] + other]
        written += one + other
        readings.append({"generation_tokens": {ONE: shown[0], OTHER: shown[1]}})

    watch = watched(*readings)

    report = watch.report()
    assert report is not None and report["generation_tokens"] == written
    assert ("restarted" in watch.note) == restarts


def test_an_engine_that_comes_later_counts_from_nothing() -> None:
    watch = watched({"prompt_tokens": {ONE: 50}}, {"prompt_tokens": {ONE: 51, OTHER: 4}})

    report = watch.report()
    assert report is not None and report["prompt_tokens"] == 5


def test_who_has_no_metrics_is_asked_once() -> None:
    with serving(tells("not here", 404)) as server:
        watch = VllmWatch(ServerMetrics(server.base))
        for _ in range(3):
            watch.look()

    assert len(server.seen) == 1
    assert watch.report() is None
    assert watch.note == f"http://127.0.0.1:{server.server_port}/metrics gives no metrics (404)."


def test_a_server_that_dies_midway_keeps_what_it_told() -> None:
    with serving(tells(BEGIN), tells(DURING), cuts(END[:9000])) as server:
        watch = VllmWatch(ServerMetrics(server.base))
        for _ in range(3):
            watch.look()
    watch.look()  # now nobody listens

    report = watch.report()
    assert report is not None and report["generation_tokens"] == 15441 - 9600
    assert watch.note == (
        "2 of 4 looks at vLLM's metrics failed, the last among them: "
        f"http://127.0.0.1:{server.server_port}/metrics does not answer (ConnectError)."
    )


def test_a_look_missed_in_the_middle_costs_no_counts() -> None:
    first, last = {"prompt_tokens": {ONE: 5}}, {"prompt_tokens": {ONE: 9}}
    watch = watched(first, MetricsFault("It was busy."), last)

    report = watch.report()
    assert report is not None and report["prompt_tokens"] == 4
    assert watch.note == "1 of 3 looks at vLLM's metrics failed: It was busy."


def test_a_first_look_that_fails_is_said() -> None:
    watch = watched(MetricsFault("It was busy."), {"prompt_tokens": {ONE: 5}}, {"prompt_tokens": {ONE: 9}})

    report = watch.report()
    assert report is not None and report["prompt_tokens"] == 4
    assert watch.note == "1 of 3 looks at vLLM's metrics failed, the first among them: It was busy."


def test_another_server_in_its_place_ends_nothing() -> None:
    first, last = {"prompt_tokens": {ONE: 5}}, {"prompt_tokens": {ONE: 9}}
    report = watched(first, NoMetrics("It is a page now."), last).report()

    assert report is not None and report["prompt_tokens"] == 4


@pytest.mark.parametrize("looks", [1, 2])
def test_counters_that_do_not_move_are_pointed_out(looks: int) -> None:
    still: Reading = {"prompt_tokens": {ONE: 5}}

    assert watched(*[still] * looks).note.startswith("vLLM's counters did not move") == (looks > 1)


def test_before_the_first_look_there_is_nothing() -> None:
    watch = watched()

    assert watch.report() is None
    assert watch.note == ""
