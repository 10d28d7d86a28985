"""Advice follows rules that hold whatever was measured, in whatever order it comes."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from app.benchmark.comparisons.advice import GAIN, WHY, advise, advise_settings
from app.benchmark.comparisons.report import Advice, Cell, Contestant

GB = 10**9


def who(label: str, *, ram: int | None = None, problem: str = "") -> Contestant:
    return Contestant(label, label, ram_loaded=ram, ram_peak=ram, problem=problem)


def cell(
    label: str,
    readers: int,
    speed: Sequence[float],
    ttft: Sequence[float] = (10.0,),
    *,
    failed: int = 0,
    turns: int = 1,
) -> Cell:
    return Cell(label, readers, turns, tuple(speed), tuple(ttft), (5.0,), 32.0, 24, failed)


def steady(value: float) -> tuple[float, ...]:
    return value, value * 1.01, value * 0.99


contestants = st.lists(
    st.builds(
        who,
        st.sampled_from(["a", "b", "c", "d"]),
        ram=st.none() | st.integers(0, 10 * GB),
        problem=st.sampled_from(["", "", "", "It is not there."]),
    ),
    max_size=4,
    unique_by=lambda contestant: contestant.label,
)
figures = st.lists(st.floats(0.1, 1000), min_size=0, max_size=3).map(tuple)
cells = st.lists(
    st.builds(
        cell,
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from([1, 8, 32]),
        figures,
        figures,
        failed=st.sampled_from([0, 0, 0, 3]),
        turns=st.sampled_from([1, 5]),
    ),
    max_size=24,
    unique_by=lambda found: (found.label, found.readers, found.turns),
)


def sound(given: Advice, them: Sequence[Contestant], found: Sequence[Cell]) -> None:
    assert set(given.values) >= set(WHY[given.why]) - {"low", "high"}
    if not given.label:
        assert given.why == "none"
        return
    assert next(contestant for contestant in them if contestant.label == given.label).problem == ""
    assert not any(each.failed for each in found if each.label == given.label)
    assert any(each.tokens_per_second for each in found if each.label == given.label)


@given(contestants, cells, st.randoms(use_true_random=False))
def test_nobody_who_failed_is_recommended_and_order_does_not_matter(
    them: list[Contestant], found: list[Cell], lot: random.Random
) -> None:
    first = advise(them, found, {})
    sound(first, them, found)

    lot.shuffle(them)
    lot.shuffle(found)
    assert advise(them, found, {}) == first


@given(contestants, cells)
def test_a_setting_that_failed_is_not_recommended(them: list[Contestant], found: list[Cell]) -> None:
    if them:
        sound(advise_settings(them, found, {}, None), them, found)


def test_who_writes_most_for_the_most_readers_is_used() -> None:
    found = [
        cell("hf", 1, steady(20)), cell("vllm", 1, steady(21)),
        cell("hf", 32, (60, 61, 59)), cell("vllm", 32, (300, 302, 304)),
    ]  # fmt: skip
    given = advise([who("hf"), who("vllm")], found, {"vllm": {"LLM_ENGINE": "vllm"}})

    assert (given.label, given.why, given.apply) == ("vllm", "throughput", {"LLM_ENGINE": "vllm"})
    assert given.values["readers"] == 32 and given.values["over"] == "hf"
    assert 4.7 < given.values["low"] < given.values["times"] < given.values["high"] < 5.4


def test_it_is_said_where_one_reader_alone_is_better_off_with_another() -> None:
    found = [
        cell("hf", 1, steady(20), steady(5)), cell("vllm", 1, steady(20), steady(50)),
        cell("hf", 8, steady(60)), cell("vllm", 8, steady(90)),
    ]  # fmt: skip
    given = advise([who("hf"), who("vllm")], found, {})

    assert (given.label, given.why, given.values["other"]) == ("vllm", "throughput_not_alone", "hf")
    assert given.values["ms"] > 40 > 10 > given.values["other_ms"]


def test_of_two_that_write_equally_much_the_one_that_begins_sooner_is_used() -> None:
    found = [cell("hf", 1, (20, 30, 25), steady(90)), cell("vllm", 1, (26, 24, 25), steady(30))]
    given = advise([who("hf"), who("vllm")], found, {})

    assert (given.label, given.why, given.values["over"]) == ("vllm", "first_token", "hf")


def test_of_two_that_do_not_differ_the_smaller_one_is_used() -> None:
    found = [cell("hf", 1, (20, 30, 25), (9, 12, 10)), cell("vllm", 1, (26, 24, 25), (11, 9, 10))]

    given = advise([who("hf", ram=2 * GB), who("vllm", ram=6 * GB)], found, {})
    assert (given.label, given.why) == ("hf", "memory")
    assert given.values == {"bytes": 2 * GB, "over": "vllm", "over_bytes": 6 * GB}

    for other in (who("vllm", ram=2 * GB + 10**7), who("vllm")):  # as large, about; unknown
        assert advise([who("hf", ram=2 * GB), other], found, {}).why == "same"


def test_one_repeat_shows_no_difference() -> None:
    found = [cell("hf", 1, [20]), cell("vllm", 1, [80])]

    assert advise([who("hf"), who("vllm")], found, {"hf": {"LLM_ENGINE": "hf"}}) == Advice("hf", "same")


def test_failures_and_absence_leave_one() -> None:
    found = [cell("hf", 1, steady(20)), cell("vllm", 1, steady(90), failed=1)]
    given = advise([who("hf"), who("vllm"), who("ollama", problem="It is down.")], found, {"hf": {"LLM_ENGINE": "hf"}})

    assert (given.label, given.why, given.apply) == ("hf", "only_one", {"LLM_ENGINE": "hf"})
    assert advise([who("vllm")], found, {}) == Advice("", "none")


def test_a_setting_that_helps_is_advised() -> None:
    them = [who("vllm"), who("ngram"), who("off")]
    found = [cell("vllm", 8, steady(50)), cell("ngram", 8, steady(80)), cell("off", 8, steady(30))]
    given = advise_settings(them, found, {"ngram": {"VLLM_CONFIG": "{}"}}, None)

    assert (given.label, given.why, given.apply) == ("ngram", "gain", {"VLLM_CONFIG": "{}"})
    assert round(given.values["times"], 2) == 1.6


def test_a_setting_that_costs_one_reader_what_it_gives_to_many_is_not() -> None:
    found = [
        cell("vllm", 1, steady(50)), cell("ngram", 1, steady(20)),
        cell("vllm", 8, steady(50)), cell("ngram", 8, steady(80)),
    ]  # fmt: skip

    assert advise_settings([who("vllm"), who("ngram")], found, {}, None) == Advice("vllm", "keep")


def test_a_gain_must_be_worth_it_and_beyond_the_drift_of_the_machine() -> None:
    them = [who("vllm"), who("ngram"), who("vllm (again)")]
    slight = [cell("vllm", 8, (50, 50, 50)), cell("ngram", 8, [50 * GAIN * 0.99] * 3)]
    drifted = [
        cell("vllm", 8, steady(50)), cell("ngram", 8, steady(60)), cell("vllm (again)", 8, steady(61)),
    ]  # fmt: skip

    assert advise_settings(them, slight, {}, None).why == "keep"
    assert advise_settings(them, drifted, {}, "vllm (again)") == Advice("vllm", "keep")
    assert advise_settings(them, drifted, {}, None).label == "vllm (again)"


def test_nothing_to_try_is_said() -> None:
    them = [who("ollama"), who("kv-cache-dtype", problem="It is a setting of the server.")]

    assert advise_settings(them, [cell("ollama", 1, steady(9))], {}, None) == Advice("ollama", "nothing_tried")
