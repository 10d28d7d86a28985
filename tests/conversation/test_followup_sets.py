"""The conversations that ``benchmarks/followups.py`` measures, and its way through a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.followup_sets import conversations
from benchmarks.followups import history, queries
from tests.conversation.parts import Scripted

TEXTS = {
    "en": "The Grainger Market opened in 1835. The Grainger Market replaced the Butcher Market.",
    "zh": "青藏铁路全长1956公里。青藏铁路于2006年通车。",
}
QUESTIONS = {
    "en": ("When did the Grainger Market open?", "What earlier market did the Grainger Market replace?"),
    "zh": ("青藏铁路全长多少公里？", "青藏铁路在哪一年通车？"),
}


def _folder(tmp_path: Path, language: str) -> Path:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text(TEXTS[language], encoding="utf-8")
    middle = TEXTS[language].index("." if language == "en" else "。") + 1
    places = ((0, middle), (middle, len(TEXTS[language])))
    lines = [
        {"id": str(index), "question": question, "evidence": [{"doc": "a.txt", "start": start, "end": end}]}
        for index, (question, (start, end)) in enumerate(zip(QUESTIONS[language], places, strict=True))
    ]
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    (tmp_path / "questions.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_subject_of_the_second_is_dropped_and_found_again(tmp_path: Path, language: str) -> None:
    made = conversations(_folder(tmp_path, language))
    assert made and made == conversations(tmp_path)
    for item in made:
        assert item.subject in item.full and item.subject not in item.follow_up
        assert history(item)[1][1] in TEXTS[language]
    for query, item in zip(queries(made, None)["c"], made, strict=True):
        assert item.subject in query


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_model_that_gives_the_whole_question_gives_the_whole_result(tmp_path: Path, language: str) -> None:
    for item in conversations(_folder(tmp_path, language)):
        asked = queries([item], Scripted(reply=f'Rewritten question: "{item.full}"'))
        assert asked["d"] == asked["a"] == [item.full]
