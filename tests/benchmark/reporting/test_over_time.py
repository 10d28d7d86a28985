from __future__ import annotations

from dataclasses import replace

import pytest

from app.benchmark.reporting import over_time
from app.benchmark.reporting.html import page
from app.benchmark.reporting.runs import Report
from app.errors import BenchmarkError
from app.text import Language
from tests.balanced import Balanced
from tests.benchmark.reports import compare_report, load_report, tune_report

LANGUAGES: tuple[Language, ...] = ("en", "zh")


def later(report: Report, day: int, **changes: object) -> Report:
    name, at = f"202612{day:02}T091500123456-0a1b", f"2026-12-{day:02}T09:15:00+00:00"
    return replace(report, id=name, at=at, **changes)  # type: ignore[arg-type]


def test_runs_follow_each_other_with_their_differences() -> None:
    first = load_report()
    runs = [later(first, 5, seconds=first.seconds / 1.5), later(first, 3), later(first, 4, seconds=first.seconds / 1.2)]
    found = over_time.grid(over_time.follow(runs, "en"), "en")

    assert [row[0][:10] for row in found.rows] == ["2026-12-05", "2026-12-04", "2026-12-03"]
    assert [row[2] for row in found.rows] == ["+25.0 %", "+20.0 %", "–"]
    assert len(over_time.charts(over_time.follow(runs, "en"), "en")) == 2


def test_only_like_is_compared_with_like() -> None:
    first = load_report()
    other = later(first, 4, config={**first.config, "concurrency": 16})
    found = over_time.follow([later(first, 3), other, later(first, 5)], "en")

    assert [found.name(point) for point in found.points] == [
        "8 readers at once",
        "16 readers at once",
        "8 readers at once",
    ]
    assert [row[3] for row in over_time.grid(found, "en").rows] == ["+0.0 %", "–", "–"]
    assert over_time.charts(found, "en")[0].count("<polyline") == 2


@pytest.mark.parametrize("of", LANGUAGES)
def test_comparisons_are_followed_under_a_load_they_share(of: Language) -> None:
    whole = compare_report()
    small = later(whole, 9, cells=tuple(cell for cell in whole.cells if cell.readers < 32))
    found = over_time.follow([small, whole], of)

    assert (found.readers, len(found.points)) == (8, 6)
    Balanced().feed(page([whole, small], of))
    nothing = over_time.follow([whole, later(whole, 9, cells=())], of)
    assert (nothing.points, over_time.charts(nothing, of)) == ([], [])
    Balanced().feed(page([whole, later(whole, 9, cells=())], of))


def test_reports_of_several_kinds_or_none_are_refused() -> None:
    with pytest.raises(BenchmarkError, match="several kinds"):
        page([load_report(), tune_report()], "en")
    with pytest.raises(BenchmarkError, match="no report"):
        page([], "en")
