from __future__ import annotations

import json

from app.evaluation.report import Run
from tests.evaluation.parts import record, run


def test_means_and_intervals_are_over_the_questions_that_have_a_say() -> None:
    found = run(record(1), record(2, 4, refused=True), record(3, None), record(4, answerable=False, refused=True),
                record(5, answerable=False)).metrics  # fmt: skip
    assert (found["hit@1"].value, found["hit@1"].n) == (1 / 3, 3)
    assert (found["hit@3"].value, found["hit@5"].value, found["hit@10"].value) == (1 / 3, 2 / 3, 2 / 3)
    assert found["mrr@10"].value == (1 + 0.25) / 3
    assert found["refused_answerable"].value == 1 / 3
    assert (found["refused_unanswerable"].value, found["refused_unanswerable"].n) == (0.5, 2)
    assert found["mrr@10"].low is None
    low, high = found["hit@1"].low, found["hit@1"].high
    assert low is not None and high is not None and low < 1 / 3 < high


def test_without_questions_of_a_kind_there_is_no_mean() -> None:
    assert run(record(1)).metrics["refused_unanswerable"].value is None
    only = run(record(1, answerable=False, refused=True))
    assert only.metrics["hit@1"].value is None
    assert only.misses() == []


def test_a_run_survives_the_way_to_json_and_back() -> None:
    before = run(record(1), record(2, None), record(3, answerable=False), STRICTNESS=0.5)
    assert Run.from_dict(json.loads(json.dumps(before.as_dict()))) == before


def test_what_went_wrong_stands_worst_first() -> None:
    found = run(record(1), record(2, 3), record(3, None), record(4, 1, refused=True), record(5, 7),
                record(6, answerable=False), record(7, answerable=False, refused=True))  # fmt: skip
    assert [miss.question.id for miss in found.misses()] == ["q3", "q6", "q5", "q2", "q4"]
