from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import EvaluationError, HotswapError
from app.evaluation.questions import Place, Question, check, dump, parse
from tests.evaluation.parts import TEXTS


def checked(*lines: str) -> list[Question]:
    questions = parse("\n".join(lines), "q.jsonl")
    check(questions, "q.jsonl", TEXTS, TEXTS.__getitem__)
    return questions


def test_each_kind_of_question_is_read() -> None:
    found = checked(
        '\ufeff{"id": "a", "question": " What burns? ", "evidence": [{"doc": "lamp.md", "start": 4, "end": 28}]}',
        "",
        '{"id": 7, "question": "灯塔？", "answers": ["林海生"], "lang": "zh"}',
        '{"question": "Which?", "docs": ["lamp.md"]}',
        '{"question": "Will it rain?", "answerable": false}',
    )
    assert [(one.id, one.question, one.kind, one.line) for one in found] == [
        ("a", "What burns?", "evidence", 1),
        ("7", "灯塔？", "answers", 3),
        ("4", "Which?", "docs", 4),
        ("5", "Will it rain?", "unanswerable", 5),
    ]
    assert found[0].evidence == (Place("lamp.md", 4, 28),)


def test_evidence_wins_over_answers() -> None:
    line = '{"question": "?!", "evidence": [{"doc": "lamp.md", "start": 0, "end": 3}], "answers": ["x"]}'
    assert checked(line)[0].kind == "evidence"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 1 is no JSON"),
        ("[" * 100_000, "line 1 is no JSON"),
        ("[1]", "is no JSON object"),
        ('{"id": "1"}', "has no question"),
        ('{"question": "  ", "answers": ["x"]}', "has no question"),
        (json.dumps({"question": "x" * 4001, "answers": ["x"]}), "4,001 characters"),
        ('{"question": "x\\ud800?", "answers": ["x"]}', "half a character"),
        ('{"question": "x?"}', "says nothing of what answers"),
        ('{"question": "x?", "answers": []}', "says nothing of what answers"),
        ('{"question": "x?", "answers": "x"}', '"answers" that is no list'),
        ('{"question": "x?", "answers": [3]}', "something else than words"),
        ('{"question": "x?", "docs": [""]}', "something else than words"),
        ('{"question": "x?", "answerable": 0}', "neither true nor false"),
        ('{"question": "x?", "id": true, "answers": ["x"]}', "neither words nor a number"),
        ('{"question": "x?", "evidence": [3]}', "without a document"),
        ('{"question": "x?", "evidence": [{"doc": "lamp.md"}]}', "without start and end"),
        ('{"question": "x?", "evidence": [{"doc": "lamp.md", "start": true, "end": 9}]}', "without start and end"),
        ('{"question": "x?", "evidence": [{"doc": "lamp.md", "start": 9, "end": 9}]}', "from 9 to 9"),
        ('{"question": "x?", "evidence": [{"doc": "lamp.md", "start": -1, "end": 9}]}', "from -1 to 9"),
        ('{"question": "x?", "evidence": [{"doc": "lamp.md", "start": 0, "end": 900}]}', "the evidence ends at 900"),
        ('{"question": "x?", "evidence": [{"doc": "lamp.md", "start": 65, "end": 67}]}', "white space"),
        ('{"question": "x?", "evidence": [{"doc": "Lamp.md", "start": 0, "end": 9}]}', "there is 'lamp.md'"),
        ('{"question": "x?", "docs": ["en/lamp.md"]}', "no document 'en/lamp.md'; there is 'lamp.md'"),
        ("", "holds no question"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_in_one(line: str, words: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        checked(line)
    assert words in caught.value.message
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_an_id_stands_once() -> None:
    with pytest.raises(EvaluationError, match=r"line 2: the id 'a' stands in line 1 already"):
        checked(*['{"id": "a", "question": "x?", "answers": ["x"]}'] * 2)


WORDS = st.text(min_size=1, max_size=20).filter(str.strip)
QUESTIONS = st.builds(
    Question,
    id=st.uuids().map(str),
    question=WORDS.map(str.strip),
    evidence=st.lists(
        st.builds(Place, WORDS, st.integers(0, 50), st.integers(51, 99)), max_size=2
    ).map(tuple),
    answers=st.lists(WORDS, min_size=1, max_size=2).map(tuple),
    docs=st.lists(WORDS, max_size=2).map(tuple),
    answerable=st.booleans(),
)  # fmt: skip


@given(st.lists(QUESTIONS, min_size=1, max_size=4, unique_by=lambda one: one.id))
def test_what_is_written_is_read_again(questions: list[Question]) -> None:
    assert [one.as_dict() for one in parse(dump(questions), "q")] == [one.as_dict() for one in questions]


@given(st.text())
def test_any_text_is_questions_or_one_line_of_error(text: str) -> None:
    try:
        assert parse(text, "q.jsonl")
    except HotswapError as error:
        assert "\n" not in str(error)
