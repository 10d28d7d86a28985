from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.benchmark.comparisons.report import ComparisonReport
from app.benchmark.reporting.runs import KEPT, BenchmarkRuns, Report
from app.config import ROOT
from app.errors import BenchmarkError
from app.runs import now
from tests.benchmark.reports import arrival_report, compare_report, load_report, tune_report


@pytest.mark.parametrize("make", [load_report, arrival_report, compare_report, tune_report])
def test_a_report_of_every_kind_is_found_again(tmp_path: Path, make: object) -> None:
    report: Report = make()  # type: ignore[operator]
    runs = BenchmarkRuns(tmp_path / "benchmarks")
    runs.keep(report)

    assert runs.load(report.id) == report


def test_the_newest_come_first_and_the_oldest_go(tmp_path: Path) -> None:
    runs = BenchmarkRuns(tmp_path)
    ids = [f"20261203T{number // 60:02}{number % 60:02}00000000-0000" for number in range(KEPT + 3)]
    for name in ids:
        (tmp_path / f"{name}.json").write_text("{}", encoding="utf-8")
    runs.keep(tune_report(id="20270101T000000000000-ffff"))

    assert runs.ids() == ["20270101T000000000000-ffff", *reversed(ids)][:KEPT]
    runs.remove(ids[-1])
    assert runs.load(ids[-1]) is None and ids[-1] not in runs.ids()


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "[]", "3", "null", "{}", '{"kind": "load"}', '{"kind": "dance", "version": 1}',
        '{"kind": "load", "version": 1}', '{"kind": ["load"], "version": 1}', "[" * 100_000,
        json.dumps({**load_report().as_dict(), "requests": [1]}),
        json.dumps({**compare_report().as_dict(), "advice": {"to": "x"}}),
        json.dumps({**compare_report().as_dict(), "version": 99}),
        json.dumps({**compare_report().as_dict(), "at": "yesterday"}),
    ],
)  # fmt: skip
def test_damaged_and_newer_files_are_told_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    name = now()[1]
    (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert BenchmarkRuns(tmp_path).load(name) is None
    assert name in caplog.text


@pytest.mark.parametrize("name", ["../../history", "", "x", "20261203T100000123456-2c3d/../x"])
def test_an_id_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    for use in (BenchmarkRuns(tmp_path).load, BenchmarkRuns(tmp_path).remove):
        with pytest.raises(BenchmarkError, match="There is no benchmark"):
            use(name)


def test_a_folder_that_cannot_be_written_is_told_and_nothing_half_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(BenchmarkError, match="could not be kept"):
        BenchmarkRuns(tmp_path / "file").keep(tune_report())
    report = tune_report()
    (tmp_path / f"{report.id}.json").mkdir()  # a file cannot take its place
    with pytest.raises(BenchmarkError, match="could not be kept"):
        BenchmarkRuns(tmp_path).keep(report)
    assert not list(tmp_path.glob("*.half"))


def test_what_a_killed_writer_left_goes_in_the_end(tmp_path: Path) -> None:
    old, young = tmp_path / "a.half", tmp_path / "b.half"
    for path in (old, young):
        path.write_text("{", encoding="utf-8")
    os.utime(old, (0, 0))
    BenchmarkRuns(tmp_path).keep(tune_report())

    assert not old.exists() and young.exists()


WRITER = """
import sys
from pathlib import Path
from app.benchmark.reporting.runs import BenchmarkRuns
from app.runs import now
from tests.benchmark.reports import tune_report
runs = BenchmarkRuns(Path(sys.argv[1]))
for _ in range(80):
    runs.keep(tune_report(id=now()[1]))
"""


def test_several_processes_and_threads_write_while_one_reads(tmp_path: Path) -> None:
    (tmp_path / "x.half").write_text("", encoding="utf-8")
    runs = BenchmarkRuns(tmp_path)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT) for _ in range(2)]
    same = tune_report()
    with ThreadPoolExecutor(4) as threads:
        work = [threads.submit(runs.keep, same if number % 2 else tune_report(id=now()[1])) for number in range(120)]
        while any(writer.poll() is None for writer in writers):
            for name in runs.ids()[:20]:
                found = runs.load(name)
                assert isinstance(found, ComparisonReport) and found.id == name
        for one in work:
            one.result()
    assert [writer.returncode for writer in writers] == [0, 0]

    runs.keep(tune_report(id=now()[1]))
    assert len(runs.ids()) == KEPT
    assert [path.name for path in tmp_path.glob("*.half")] == ["x.half"]
