from __future__ import annotations

import re
from dataclasses import replace

import pytest

from app.benchmark.comparisons.report import Advice
from app.benchmark.reporting.html import page
from app.benchmark.reporting.runs import Report
from app.text import Language
from tests.balanced import Balanced
from tests.benchmark.reports import arrival_report, compare_report, load_report, tune_report

EVIL = '<script>alert("x")</script><img src=http://evil.example/a.png onerror=alert(1)>'
ALL: list[Report] = [load_report(), arrival_report(), arrival_report(saturated=False), compare_report(), tune_report()]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


@pytest.mark.parametrize("of", LANGUAGES)
@pytest.mark.parametrize("report", ALL)
def test_a_page_is_whole_and_asks_nobody_for_anything(report: Report, of: Language) -> None:
    text = page([report], of)
    Balanced().feed(text)

    assert text.startswith("<!doctype html>") and f'<html lang="{"zh-CN" if of == "zh" else "en"}">' in text
    assert "default-src 'none'" in text and "prefers-color-scheme" in text and "@media print" in text
    assert "<script" not in text and "@import" not in text and "url(" not in text
    assert set(re.findall(r'(?:src|href|xmlns)="([^"]+)"', text)) == {"http://www.w3.org/2000/svg"}
    assert text.count("<svg") >= 2


def test_what_comes_from_elsewhere_is_text() -> None:
    sample = replace(load_report().samples[50], prompt=EVIL, error=EVIL, kind=EVIL, outcome="failed")
    environment = {"processor": EVIL, "gpus": [{"name": EVIL, "memory": 3}], "versions": {EVIL: EVIL}}
    load = arrival_report(
        samples=(sample, *load_report().samples), config={"model": EVIL, "target": EVIL, EVIL: EVIL, "prompts": EVIL},
        environment=environment, notes=(EVIL,), resources={"gpu_note": EVIL, "gpus": [{"index": 0, "name": EVIL}]},
    )  # fmt: skip
    base = compare_report()
    one = replace(base.contestants[0], label=EVIL, model=EVIL, dtype=EVIL, settings={EVIL: EVIL}, notes=(EVIL,))
    bad = replace(one, label=f"{EVIL}2", problem=EVIL)
    cells = [replace(cell, label=EVIL) for cell in base.cells if cell.label == "hf"]
    apply = Advice(EVIL, "only_one", {}, {EVIL: EVIL})
    for kind_ in ("compare", "tune"):
        compared = replace(
            base, kind=kind_, contestants=(one, bad, base.contestants[1]), cells=(*cells, *base.cells), advice=apply
        )
        for text in (page([load], "en"), page([compared], "zh"), page([compared, compared], "en")):
            assert "<script" not in text and "<img" not in text
            assert "&lt;script&gt;" in text
