from __future__ import annotations

import re

from app.benchmark.reporting import drawing
from app.benchmark.reporting.runs import Report
from tests.benchmark.reports import arrival_report, compare_report, load_report, tune_report

ALL: list[Report] = [load_report(), arrival_report(), arrival_report(saturated=False), compare_report(), tune_report()]


def test_charts_show_what_was_asked_for() -> None:
    titles = {
        report.kind: [re.findall(r'aria-label="([^"]+)"', svg)[0] for svg in drawing.charts(report, "en")]
        for report in ALL
    }

    assert titles == {
        "load": ["How soon answers came", "First token over the run, ms", "Whole answer over the run, ms"],
        "arrival": [
            "Answers under way", "How soon answers came", "First token over the run, ms",
            "Whole answer over the run, ms",
        ],
        "compare": [
            "Tokens a second, all readers together · 1 turn", "First token, ms · 1 turn", "Speed-up over hf · 1 turn",
            "Tokens a second, all readers together · 5 turns", "First token, ms · 5 turns",
            "Speed-up over hf · 5 turns", "RAM · GPU: loaded, and paler at its peak",
        ],
        "tune": ["Gain over vllm", "RAM · GPU: loaded, and paler at its peak"],
    }  # fmt: skip
    arrival = drawing.charts(arrival_report(), "en")[1]
    assert "Whole answer, since due" in arrival and "Whole answer, since sent" in arrival
    assert "limit 500 ms" in drawing.charts(arrival_report(), "en")[2]


def test_with_one_number_of_readers_speeds_are_bars() -> None:
    report = compare_report()
    one = compare_report(cells=tuple(cell for cell in report.cells if (cell.readers, cell.turns) == (8, 1)))
    speed, first, *_ = drawing.charts(one, "en")

    assert "<polyline" not in speed + first and speed.count("<path") == 3
