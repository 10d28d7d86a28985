from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation.metrics import Judge, overlap, union, wilson
from app.evaluation.questions import Place, Question

TEXT = "  The lamp burns oil.  " + "x" * 977


@dataclass(frozen=True)
class At:
    """A passage."""

    start: int
    end: int
    doc: str = "a"

    @property
    def text(self) -> str:
        return TEXT[self.start : self.end]


def judge(*places: tuple[int, int], answers: tuple[str, ...] = (), docs: tuple[str, ...] = ()) -> Judge:
    evidence = tuple(Place("a", *place) for place in places)
    return Judge(Question("q", "?", evidence, answers, docs), lambda doc: TEXT)


def test_a_hit_holds_a_whole_piece_of_evidence_less_its_white_space() -> None:
    lamp = judge((0, 23))
    assert lamp.rank([At(3, 30), At(2, 21)]) == 2
    assert lamp.rank([At(0, 23, "b"), At(3, 30)]) is None
    assert judge((0, 23), (100, 110)).rank([At(90, 120)]) == 1, "one piece is enough"


def test_only_the_first_ten_count_as_hits() -> None:
    misses = [At(500, 510)] * 9
    assert judge((2, 21)).rank([*misses, At(0, 30)]) == 10
    assert judge((2, 21)).rank([*misses, At(500, 510), At(0, 30)]) is None


def test_answers_are_found_whatever_their_case_and_white_space() -> None:
    assert judge(answers=("LAMP  burns",)).rank([At(500, 510), At(0, 16)]) == 2
    assert judge(answers=("lamp burns oil",)).rank([At(0, 16)]) is None


def test_of_a_document_any_passage_does() -> None:
    assert judge(docs=("b",)).rank([At(0, 5), At(0, 5, "b")]) == 2


def test_recall_counts_characters_within_the_budget() -> None:
    gold = judge((100, 200))
    assert gold.recall([At(0, 150)], 1000) == 0.5
    assert gold.recall([At(0, 150), At(140, 200)], 1000) == 1.0
    assert gold.recall([At(0, 150), At(140, 200)], 160) == pytest.approx(0.5), "what was there before costs again"
    assert gold.recall([At(100, 200)], 40) == pytest.approx(0.4), "the last passage is cut"
    assert gold.recall([At(100, 200, "b")], 1000) == 0.0


def test_recall_without_evidence_is_a_hit_within_the_budget() -> None:
    oil = judge(answers=("oil",))
    assert oil.recall([At(500, 600), At(0, 25)], 125) == 1.0
    assert oil.recall([At(500, 600), At(0, 25)], 115) == 0.0


RANGES = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)).map(sorted).map(tuple), max_size=8)
PASSAGES = st.lists(st.builds(lambda ends, doc: At(*ends, doc), RANGES.filter(bool).map(lambda some: some[0]),
                              st.sampled_from("ab")), max_size=8)  # fmt: skip


@given(RANGES, RANGES)
def test_unions_and_overlaps_are_those_of_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    mine = {at for start, end in one for at in range(start, end)}
    theirs = {at for start, end in other for at in range(start, end)}
    united = union(one)
    assert sum(end - start for start, end in united) == len(mine)
    assert all(a[1] < b[0] for a, b in pairwise(united))
    assert overlap(united, union(other)) == len(mine & theirs)


@given(PASSAGES, st.integers(1, 400), st.integers(1, 400))
def test_recall_is_a_share_that_grows_with_the_budget(passages: list[At], one: int, other: int) -> None:
    gold = judge((5, 20), (10, 250))
    small, large = sorted((one, other))
    assert 0.0 <= gold.recall(passages, small) <= gold.recall(passages, large) <= 1.0


@given(st.permutations([At(0, 60), At(50, 120), At(100, 300), At(7, 9, "b")]))
def test_order_does_not_matter_where_all_fits(passages: list[At]) -> None:
    assert judge((40, 200)).recall(passages, 10_000) == 1.0


@given(PASSAGES, st.permutations([(5, 20), (10, 250), (30, 40)]))
def test_the_order_of_the_evidence_does_not_matter(passages: list[At], places: list[tuple[int, int]]) -> None:
    plain, turned = judge((5, 20), (10, 250), (30, 40)), judge(*places)
    assert plain.rank(passages) == turned.rank(passages)
    assert plain.recall(passages, 100) == turned.recall(passages, 100)


@given(st.integers(0, 500), st.integers(1, 500))
def test_intervals_hold_their_rate(successes: int, total: int) -> None:
    successes = min(successes, total)
    low, high = wilson(successes, total)
    assert 0.0 <= low <= successes / total <= high <= 1.0


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"), [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)]
)
def test_intervals_are_wilsons(successes: int, total: int, low: float, high: float) -> None:
    assert wilson(successes, total) == pytest.approx((low, high), abs=5e-4)
    assert wilson(0, 0) == (0.0, 1.0)
