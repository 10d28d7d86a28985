"""``bench load`` and ``bench arrival`` as a user runs them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import main
from app.config import get_settings
from tests.engines.routing.fault_server import MODEL, FaultServer
from tests.product import ROOT, command, environment


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[pytest.CaptureFixture[str]]:
    """Commands run in this process, with a data folder of the test."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setattr("app.logs.set_up_logging", lambda settings: None)  # it would hold for the tests after these
    get_settings.cache_clear()
    yield capsys
    get_settings.cache_clear()


def test_a_load_by_environment_variables_is_told_kept_and_written(tmp_path: Path) -> None:
    sheet, page, data = tmp_path / "r.csv", tmp_path / "r.html", tmp_path / "state"
    with FaultServer() as server:
        server.mode, server.times = "500", 1
        done = command(
            data, "bench", "load", "--json", "--csv", str(sheet), "--html", str(page), "--lang", "zh",
            CONC="3", NREQ="12", VLLM_BASE=server.url.removesuffix("/v1"), VLLM_MODEL=MODEL,
        )  # fmt: skip

    assert done.code == 0, done.err
    assert done.json["benchmark_config"]["concurrency"] == 3
    summary = done.json["summary"]
    assert (summary["total"], summary["successful"], summary["failed"]) == (12, 11, 1)
    assert set(summary) >= {"success_rate", "total_time_seconds", "requests_per_second", "successful_rps"}
    assert set(done.json["latency_ms"]) >= {"min", "max", "mean", "median", "p95", "p99"}
    assert len(list(csv.reader(sheet.read_text(encoding="utf-8").splitlines()))) == 13
    assert '<html lang="zh-CN">' in page.read_text(encoding="utf-8")
    (kept,) = (data / "benchmarks").iterdir()
    assert json.loads(kept.read_text(encoding="utf-8"))["summary"] == summary


def test_arrivals_are_told_in_a_table(tmp_path: Path) -> None:
    with FaultServer() as server:
        done = command(
            tmp_path, "bench", "arrival", "--base-url", server.url, "--goodput", "ttft:60000", "--no-keep",
            AUTO_RATE="30", AUTO_DURATION="1", NUM_PROMPTS="20",
        )  # fmt: skip

    assert done.code == 0, done.err
    assert MODEL in done.out and "TTFT" in done.out
    assert not (tmp_path / "benchmarks").exists()


def test_ctrl_c_tells_what_came_until_then(tmp_path: Path) -> None:
    with FaultServer() as server:
        server.gap = 0.005
        run = subprocess.Popen(
            [sys.executable, "-m", "app", "bench", "load", "-n", "100000", "--base-url", server.url, "--json"],
            cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while len(server.questions()) < 20:
            assert run.poll() is None
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    told = json.loads(out)

    assert run.returncode == 130, err
    assert "Traceback" not in err
    assert told["interrupted"] is True
    assert 0 < told["summary"]["total"] < 100000
    assert len(list((tmp_path / "benchmarks").iterdir())) == 1


def test_sigterm_is_a_ctrl_c(here: pytest.CaptureFixture[str]) -> None:
    def end() -> None:
        while len(server.questions()) < 20:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with FaultServer() as server:
        server.gap = 0.005
        threading.Thread(target=end).start()
        code = main(["bench", "load", "-n", "100000", "--base-url", server.url, "--json"])

    assert code == 130
    assert json.loads(here.readouterr().out)["interrupted"] is True
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_cannot_be_kept_is_told_all_the_same(tmp_path: Path, here: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "benchmarks").touch()
    with FaultServer() as server:
        code = main(["bench", "load", "-n", "3", "--base-url", server.url, "--json"])
    said = here.readouterr()

    assert code == 1
    assert json.loads(said.out)["summary"]["successful"] == 3
    assert "could not be kept" in said.err


@pytest.mark.parametrize(
    ("args", "variables", "code", "words"),
    [
        (("load", "--base-url", "http://127.0.0.1:9"), {}, 1, "http://127.0.0.1:9"),
        (("load",), {}, 1, "No server is named"),
        (("load",), {"CONC": "many"}, 2, "CONC is 'many'"),
        (("load",), {"NREQ": "1e3"}, 2, "no whole number"),
        (("load", "--csv", "/"), {}, 1, "/ is a folder"),
        (("load", "--prompts", "/no/such"), {}, 1, "cannot be read"),
        (("load", "--prompts", "x", "--synthetic", "3"), {}, 2, "exclude each other"),
        (("load", "--html", "/no/such/page.html"), {}, 1, "no folder for /no/such/page.html"),
        (
            ("arrival", "--base-url", "http://127.0.0.1:9", "--rate", "0", "--duration", "5"),
            {},
            1,
            "0 prompts a second",
        ),
        (("arrival", "--base-url", "http://127.0.0.1:9", "--duration", "5"), {}, 1, "have no rate"),
        (("arrival", "--rate", "1", "--goodput", "ttft"), {}, 2, "'ttft' is no limit"),
        (("arrival", "--trace", "t", "--synthetic", "5"), {}, 2, "exclude each other"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    args: tuple[str, ...], variables: dict[str, str], code: int, words: str, here: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert main(["bench", *args]) == code
    said = here.readouterr().err
    assert words in said
    assert said.count("\n") == 1 and "Traceback" not in said


def test_no_answer_at_all_is_a_problem(here: pytest.CaptureFixture[str]) -> None:
    with FaultServer() as server:
        server.mode = "500"
        code = main(["bench", "load", "-n", "3", "--base-url", server.url, "--json"])

    assert code == 1
    assert json.loads(here.readouterr().out)["summary"]["failed"] == 3
