from __future__ import annotations

import random

import pytest

from app.evaluation.everyday import unanswerable
from app.evaluation.making import cloze
from app.evaluation.questions import Question
from app.evaluation.sentences import Sentence, sample, usable, words
from app.schema import Progress
from app.text import language

ENGLISH = """# The lighthouse of Skarvoy

The lighthouse of Skarvoy was built in 1871 by the engineer Ingrid Halvorsen for the herring fleet.

- a list item that is long enough to be a sentence of its own, with Names and 7 numbers.

The lamp of this lighthouse burns rapeseed oil and can be seen from nineteen nautical miles away.

```
The code in this fence is long enough to be a sentence with 4 words of content, or more.
```

| a | table of columns that is long enough to look like a sentence with some words. |

Too short. The same sentence about the harbour of Bergsund stands here two times for good.
The same sentence about the harbour of Bergsund stands here two times for good.
"""
CHINESE = "# 青屿灯塔\n\n青屿灯塔由工程师林海生于1903年主持修建，用来指引渔船回港。\n\n"
CHINESE += "游客每周四可以从白沙码头乘坐渡轮上岛参观灯塔。\n"


class Shelf:
    """Documents by name."""

    def __init__(self, **texts: str) -> None:
        self.known = texts
        self.text = texts.__getitem__


def made(seed: int = 0, wanted: int = 20, **texts: str) -> list[Question]:
    draw = random.Random(seed)
    return cloze(sample(Shelf(**texts), wanted, draw, lambda progress: None), wanted, draw)  # type: ignore[arg-type]


def by_answer(questions: list[Question]) -> dict[str, Question]:
    return {question.answers[0]: question for question in questions}


def test_only_whole_sentences_of_running_text_are_used() -> None:
    assert [sentence.text[:30] for sentence in usable("a", ENGLISH)] == [
        "The lighthouse of Skarvoy was ",
        "The lamp of this lighthouse bu",
    ]
    assert [sentence.language for sentence in usable("b", CHINESE)] == ["zh", "zh"]


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_words_stand_where_they_say(text: str) -> None:
    for sentence in usable("a", text):
        assert text[sentence.start : sentence.end] == sentence.text
        for word in words(sentence.text):
            assert sentence.text[word.start : word.end] == word.text


def test_a_question_asks_for_the_most_telling_word_in_its_language() -> None:
    english, chinese = by_answer(made(a=ENGLISH)), by_answer(made(a=CHINESE))
    assert english.keys() >= {"1871"}
    assert " in what" in english["1871"].question or " in … what" in english["1871"].question
    assert chinese.keys() >= {"1903"}
    assert "多少" in chinese["1903"].question and chinese["1903"].question.endswith("？")
    assert "什么" in next(question for answer, question in chinese.items() if answer != "1903").question


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_the_evidence_is_the_sentence_and_the_answer_is_not_given_away(text: str) -> None:
    for question in made(a=text):
        (at,) = question.evidence
        sentence = text[at.start : at.end]
        assert question.answers[0] in sentence
        assert question.answers[0] not in question.question
        assert "…" in question.question, "it is not the sentence itself"
        assert language(question.question) == language(sentence)
        assert question.kind == "evidence"


def test_names_of_several_words_are_one_answer() -> None:
    text = "The keeper of the old tower in those days was called Ingrid Maria Halvorsen by the whole village there."
    assert made(a=text)[0].answers == ("Ingrid Maria Halvorsen",)


def test_the_seed_decides_and_documents_take_turns() -> None:
    shelf = {"a": ENGLISH, "b": CHINESE}
    assert made(3, **shelf) == made(3, **shelf)
    assert made(3, **shelf) != made(4, **shelf)
    assert {question.evidence[0].doc for question in made(0, 2, **shelf)} == {"a", "b"}
    assert len(made(0, 2, **shelf)) == 2


def test_what_stands_in_two_documents_is_asked_once() -> None:
    assert len(made(a=ENGLISH, b=ENGLISH)) == len(made(a=ENGLISH))


def test_progress_can_stop_the_choice() -> None:
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(Shelf(a=ENGLISH), 5, random.Random(0), stop)  # type: ignore[arg-type]


def test_everyday_questions_are_about_nothing_in_the_documents() -> None:
    every = unanswerable(99, ["en", "zh"], [ENGLISH], random.Random(0))
    assert all(not question.answerable and question.kind == "unanswerable" for question in every)
    assert {language(question.question) for question in every} == {"en", "zh"}
    fewer = unanswerable(99, ["en"], ["A training for Dogs.", "Penguins in the rain."], random.Random(0))
    asked = " ".join(question.question for question in fewer)
    assert "puppy" not in asked and "penguins" not in asked and "rain" not in asked
    assert len(unanswerable(2, ["zh"], [], random.Random(0))) == 2


def test_a_sentence_without_anything_to_ask_for_is_passed_over() -> None:
    bare = Sentence("a", 0, 9, "Is as is.", "en", words("Is as is."))
    assert cloze([bare], 5, random.Random(0)) == []
