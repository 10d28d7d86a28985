"""Notes are said in both languages, and found again in a report by their English line."""

from __future__ import annotations

import re

import pytest

from app.benchmark.comparisons.trials import TRIALS
from app.benchmark.notes import NOTES, THINGS, note, told
from app.text import has_han

_NAME = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("key", NOTES)
def test_a_note_is_found_again_with_all_that_it_tells(key: str) -> None:
    english, chinese = NOTES[key]
    values = {name: f"{number}.5 (x)" for number, name in enumerate(_NAME.findall(english))}
    line = note(key, **values)

    assert set(_NAME.findall(english)) == set(_NAME.findall(chinese))
    assert told("en", line) == line
    assert told("zh", line) == chinese.format(**values)
    assert has_han(told("zh", line))


def test_numbers_have_commas_and_words_stay() -> None:
    line = note("too_long", count=3, window=32768, whose="ollama qwen3:8b")

    assert "3 prompts" in line and "32,768 tokens of ollama qwen3:8b" in line
    assert "ollama qwen3:8b 的 32,768 个词元" in told("zh", line)


def test_what_an_engine_lacks_is_named_in_the_readers_language() -> None:
    for thing in TRIALS.values():
        assert THINGS[thing] in told("zh", note("lacks", engine="hf", what=thing))


def test_somebody_elses_words_stay_as_they_are() -> None:
    assert told("zh", "CUDA out of memory.") == "CUDA out of memory."
