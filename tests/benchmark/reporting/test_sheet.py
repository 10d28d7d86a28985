from __future__ import annotations

from csv import reader
from dataclasses import replace
from io import StringIO

import pytest

from app.benchmark.reporting.sheet import REPEATS, REQUESTS, csv
from tests.benchmark.reports import compare_report, load_report


def test_a_sheet_has_a_row_for_each_request() -> None:
    report = load_report()
    heads, *rows = reader(StringIO(csv(report), newline=""))
    found = dict(zip(heads, rows[40], strict=True))

    assert len(rows) == len(report.samples)
    assert found["outcome"] == "failed" and found["error"] == "HTTP 503: the queue is full" and found["kept"] == "true"
    assert float(found["latency_ms"]) == pytest.approx(report.samples[40].latency * 1000, abs=0.001)
    assert found["ttft_ms"] == ""


def test_a_sheet_has_a_row_for_each_repeat_and_each_problem() -> None:
    rows = [dict(zip(REPEATS, row, strict=True)) for row in reader(StringIO(csv(compare_report()), newline=""))][1:]

    assert len(rows) == 3 * 3 * 2 * 3 + 1
    assert [row["repeat"] for row in rows[:3]] == ["1", "2", "3"]
    assert rows[-1]["label"] == "vllm_openai" and rows[-1]["problem"].startswith("Nobody answers")


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_a_text_is_no_formula(text: str) -> None:
    sample = replace(load_report().samples[0], prompt=text, error=f'{text}, "quoted"\r\n引擎')
    _, row = reader(StringIO(csv(load_report(samples=(sample,))), newline=""))

    assert row[REQUESTS.index("prompt")] == f"'{text}"
    assert row[REQUESTS.index("error")] == f"'{sample.error}"
