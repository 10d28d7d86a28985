from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from app.evaluation.drawing import charts
from app.evaluation.html import page, spoken
from app.evaluation.report import METRICS
from app.evaluation.table import table
from app.evaluation.words import WORDS
from tests.balanced import Balanced
from tests.evaluation.parts import record, run

EVIL = '<script>alert("x")</script><img src=http://evil.example/a.png onerror=alert(1)>'
RUN = run(record(1), record(2, 3), record(3, None), record(4, answerable=False), STRICTNESS=0.5)
OTHER = run(record(1), record(2, 1), record(3, None), record(4, answerable=False, refused=True), STRICTNESS=0.9)


def test_both_languages_have_words_for_the_same_things() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()
    for key, words in WORDS["en"].items():
        assert sorted(re.findall(r"\{(\w+)\}", words)) == sorted(re.findall(r"\{(\w+)\}", WORDS["zh"][key])), key
    assert set(METRICS) <= WORDS["en"].keys()


@pytest.mark.parametrize("of", ["en", "zh"])
@pytest.mark.parametrize("other", [None, OTHER])
def test_a_page_is_whole_and_asks_nobody_for_anything(of: str, other: object) -> None:
    text = page(RUN, other, of)  # type: ignore[arg-type]
    assert text.startswith("<!doctype html>") and f'<html lang="{"zh-CN" if of == "zh" else "en"}">' in text
    assert "prefers-color-scheme" in text
    assert "<script" not in text and "@import" not in text
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {"http://www.w3.org/2000/svg"}
    Balanced().feed(text)


def test_what_comes_from_documents_and_questions_is_text() -> None:
    from dataclasses import replace

    bad = record(1, None)
    seen = replace(bad.passages[0], text=EVIL, doc=EVIL)
    bad = replace(bad, question=replace(bad.question, question=EVIL), evidence_text=(EVIL,), passages=(seen,))
    one = replace(run(bad, NAME=EVIL), source=EVIL, name=EVIL)
    two = run(replace(bad, rank=1), NAME="other")
    for text in (page(one, None, "en"), page(one, two, "en")):
        assert "<script" not in text and "<img" not in text
        assert "&lt;script&gt;" in text


def test_the_language_is_that_of_most_questions() -> None:
    from dataclasses import replace

    chinese = replace(RUN.records[0], question=replace(RUN.records[0].question, question="灯塔由谁修建？"))
    assert spoken(RUN) == "en"
    assert spoken(run(chinese, chinese, RUN.records[0])) == "zh"


@pytest.mark.parametrize("found", [RUN, run(record(1, answerable=False)), run(record(1))])
def test_charts_are_svg_and_have_what_is_there(found: object) -> None:
    for svg in charts(found, None, "en"):  # type: ignore[arg-type]
        root = ET.fromstring(svg)
        assert root.tag.endswith("svg") and root.attrib["aria-label"]
        assert "nan" not in svg


def test_two_runs_are_told_apart_by_the_settings_that_differ() -> None:
    hits, recall, _ = charts(RUN, OTHER, "en")
    for svg in (hits, recall):
        assert "STRICTNESS=0.5" in svg and "STRICTNESS=0.9" in svg
        assert svg.count("<polyline") == 2
    assert "<polygon" not in hits and "<polygon" in charts(RUN, None, "en")[0]


def test_the_table_tells_figures_and_what_went_wrong() -> None:
    text = table(RUN)
    assert re.search(r"Found first +0\.333   0\.061 to 0\.792", text)
    assert "[q3] What does lamp 3 burn?  (not found)" in text
    assert "wanted  lamp.md: lamp burns rapeseed oil" in text
    assert "found   灯塔.md: 青屿灯塔" in text
    assert "Nothing went wrong" in table(run(record(1)))


def test_the_table_of_two_runs_has_both_and_their_difference() -> None:
    text = table(RUN, OTHER)
    assert re.search(r"MRR@10 +0\.444 +0\.667 +\+0\.222 +p = 1\.00", text)
    assert "compared: STRICTNESS=0.9" in text
    assert "3 → 1  What does lamp 2 burn?" in text
    assert "chance alone may make such a difference" in text
