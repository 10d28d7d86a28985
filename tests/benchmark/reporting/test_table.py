from __future__ import annotations

import re
from dataclasses import replace

import pytest

from app.benchmark.comparisons.report import ComparisonReport
from app.benchmark.reporting.html import page
from app.benchmark.reporting.runs import Report
from app.benchmark.reporting.table import table
from app.benchmark.reporting.words import say
from app.columns import columns
from app.text import Language
from tests.benchmark.reports import arrival_report, compare_report, load_report, tune_report

LANGUAGES: tuple[Language, ...] = ("en", "zh")


def test_a_load_test_tells_its_counts_times_and_faults_apart() -> None:
    text = table(load_report())

    assert "120 in all · 115 successful · 3 failed · 1 truncated · 1 duplicated" in text
    assert re.search(r"answers/s · \d+ tokens/s", text) and "97 of 120 (80.8 %) kept first token ≤ 100 ms" in text
    assert re.search(r"First token \(TTFT\) +115( +[\d,.]+){6}\n", text)
    assert re.search(r" 2  failed +HTTP 503 +HTTP 503: the queue is full\n", text)
    assert "13.3 % of 15,360 tokens were there" in text and "10,393 J, 1.27 J a token, by its counter" in text


def test_percentiles_of_few_values_are_a_dash() -> None:
    few_samples = load_report(samples=load_report().samples[4:14])

    assert re.search(r"Whole answer +10( +[\d,.]+){3} +– +– +[\d,.]+\n", table(few_samples))


def test_a_saturated_run_and_a_late_client_are_told_first() -> None:
    report = arrival_report()
    assert report.arrivals is not None
    late = replace(report, arrivals=replace(report.arrivals, lag_valid=False))
    text = table(late)

    assert text.index("! Over-saturated: answers under way rose") < text.index("Summary")
    assert "! The client was late in sending" in text and "the client did not keep up" in text
    assert "Over-saturated" not in table(arrival_report(saturated=False))
    assert "no over-saturation shown" in table(arrival_report(saturated=False))


def written(report: ComparisonReport, label: str, readers: int) -> str:
    """The speed-up of single questions."""
    ratio = next(
        up.ratio for up in report.speed_ups() if (up.label, up.readers, up.turns) == (label, readers, 1)
    )  # fmt: skip
    return f"{ratio.mean:.2f} × ({ratio.low:.2f} – {ratio.high:.2f})"


def test_a_comparison_tells_spread_memory_problems_and_advice() -> None:
    report = compare_report()
    text = table(report)

    assert re.search(rf"vllm +32 +\d+ ± \d+ .* {re.escape(written(report, 'vllm', 32))}\n", text)
    assert "baseline" in text and "1 of 192" in text
    assert re.search(r"hf +Qwen3-4B +bfloat16 +11\.4 s +1\.3 GB +1\.9 GB +8\.2 GB +9\.9 GB\n", text)
    assert "Nobody answers at" in text and "  - hf: 32 readers ask at once" in text
    assert text.index("Worth knowing") < text.index("Use vllm: with 32 readers it writes 5.44 times")
    assert text.endswith("It is set by LLM_ENGINE=vllm\n")


def test_what_settings_bring_is_told_also_where_it_is_nothing() -> None:
    report = tune_report()
    text = table(report)

    assert f"{written(report, 'chunked prefill off', 1)}, no difference shown\n" in text
    assert re.search(rf"n-gram speculation +1 .* {re.escape(written(report, 'n-gram speculation', 1))}\n", text)
    assert "compute capability 8.9" in text


def test_a_single_repeat_has_no_interval() -> None:
    report = compare_report()
    cells = [replace(cell, tokens_per_second=cell.tokens_per_second[:1]) for cell in report.cells]
    text = table(replace(report, cells=tuple(cells)))

    assert text.count(" ×, one repeat\n") == len(report.speed_ups())
    assert "no difference" not in text


@pytest.mark.parametrize("of", LANGUAGES)
@pytest.mark.parametrize("report", [load_report(interrupted=True), tune_report(interrupted=True)])
def test_an_interrupted_run_says_so_at_the_top(report: Report, of: Language) -> None:
    words = say(of, "interrupted")

    assert table(report, of).splitlines()[4] == f"! {words}"
    assert page([report], of).index(words) < page([report], of).index("<svg")


def test_chinese_columns_stand_below_each_other() -> None:
    lines = table(compare_report(), "zh").splitlines()
    at = lines.index("单轮提问")
    ends = {columns(line) for line in lines[at + 1 : at + 11]}

    assert len(ends) == 1


def test_control_characters_do_not_reach_the_terminal() -> None:
    text = table(load_report(notes=("a\nb\x1b[31m red",), config={"model": "m\x1b[2J", "target": "t\r\n!"}))

    assert "\x1b" not in text and "\r" not in text
