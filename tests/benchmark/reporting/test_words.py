from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from app.benchmark.comparisons.advice import WHY
from app.benchmark.comparisons.report import Advice
from app.benchmark.notes import NOTES, told
from app.benchmark.plain_lines import LINES
from app.benchmark.reporting import telling
from app.benchmark.reporting.runs import Report
from app.benchmark.reporting.words import advice, kind, tables
from app.config import ROOT
from app.text import Language, has_han
from tests.benchmark.reports import arrival_report, compare_report, load_report, tune_report

ALL: list[Report] = [load_report(), arrival_report(), arrival_report(saturated=False), compare_report(), tune_report()]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
ROOM = ROOT / "app" / "benchmark"


def test_both_languages_have_words_for_the_same_things() -> None:
    for section in ("words", "kind"):
        english, chinese = tables("en")[section], tables("zh")[section]
        assert english.keys() == chinese.keys()
        for key, words in english.items():
            assert set(re.findall(r"\{(\w+)\}", words)) == set(re.findall(r"\{(\w+)\}", chinese[key])), key


@cache
def sources() -> dict[Path, ast.AST]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in ROOM.rglob("*.py")}


def strings(tree: ast.AST) -> set[str]:
    """Every text in a file, what is filled in left out."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
            found.add("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def test_every_word_is_used() -> None:
    """By its name in the code, or by a family of names there."""
    written = set().union(*(strings(tree) for tree in sources().values()))
    families = [
        re.compile(re.escape(text).replace(r"\{\}", r"\w+")) for text in written if re.fullmatch(r"\w*\{\}\w*", text)
    ]
    families = [family for family in families if len(family.pattern) > len(r"\w+")]
    unused = [
        key
        for key in tables("en")["words"]
        if key not in written
        and key.removesuffix("_one") not in written
        and not any(family.fullmatch(key) for family in families)
    ]

    assert unused == []


def test_every_fault_has_words() -> None:
    """Those that the code raises by name, and every status of HTTP."""
    kinds = set()
    for tree in sources().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("TargetFault", "Verdict")):
                first = node.args[:2] if ast.unparse(node.func).endswith("Verdict") else node.args[:1]
                kinds |= {part.value for arg in first for part in ast.walk(arg) if isinstance(part, ast.Constant)}
    kinds -= {"ok", "failed", "truncated", "duplicated", "http_", ""}

    assert len(kinds) > 10 and kinds <= tables("en")["kind"].keys()
    assert kind("zh", "http_503") == "HTTP 503" and kind("en", "of another program") == "of another program"


def test_every_reason_of_advice_has_a_sentence() -> None:
    for why, names in WHY.items():
        values = {name: "hf" if name in ("over", "other") else 1234 for name in names}
        for of in LANGUAGES:
            sentence = advice(of, Advice("vllm", why, values))
            assert "{" not in sentence and "None" not in sentence
            assert has_han(sentence) == (of == "zh")
    assert "– times" in advice("en", Advice("vllm", "throughput", {"readers": 2, "over": "hf"}))
    one_repeat = {"readers": 1, "times": 2.0, "low": None, "high": None, "over": "hf"}
    assert advice("en", Advice("vllm", "throughput", one_repeat)).endswith(
        "with 1 reader it writes 2 times as many tokens a second as hf."
    )


def test_every_line_that_is_translated_is_said_somewhere() -> None:
    """A line that was changed in the code must be changed here, too."""
    said = set().union(*(strings(tree) for path, tree in sources().items() if path.name != "plain_lines.py"))
    patterns = [re.compile(re.escape(text).replace(r"\{\}", ".+")) for text in said if len(text.replace("{}", "")) > 9]
    lines = [re.sub(r"\{\w+\}", "1", english) for english, _ in LINES]

    assert [line for line in lines if not any(pattern.fullmatch(line) for pattern in patterns)] == []


@pytest.mark.parametrize(("english", "chinese"), [*LINES, *NOTES.values()])
def test_plain_lines_are_found_again(english: str, chinese: str) -> None:
    names = re.findall(r"\{(\w+)\}", english)
    values = {name: str(number * 111) for number, name in enumerate(names, 1)}

    assert sorted(names) == sorted(re.findall(r"\{(\w+)\}", chinese))
    assert told("zh", english.format(**values)) == chinese.format(**values)
    assert told("en", english.format(**values)) == english.format(**values)


@pytest.mark.parametrize("report", ALL)
def test_nothing_english_is_left_in_a_chinese_report(report: Report) -> None:
    lines = [*telling.warnings(report, "zh"), *telling.notes(report, "zh"), *telling.advice(report, "zh")[:1]]
    for grid in telling.grids(report, "zh"):
        lines += [grid.title, *grid.heads, *(row[0] for row in grid.rows if not grid.heads)]

    assert [
        line for line in lines if line and not has_han(line) and line not in ("p95", "p99") and "GPU" not in line
    ] == []
