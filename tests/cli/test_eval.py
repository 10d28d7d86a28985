"""The command ``eval``, without a server and beside one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.product import ROOT, command, environment, server, write_documents

ASKED = {"id": "lamp", "question": "What does the lamp of the lighthouse burn?", "answers": ["rapeseed oil"]}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documents(tmp_path_factory.mktemp("corpus"))


def questions(folder: Path, *lines: object) -> str:
    path = folder / "questions.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return str(path)


def test_a_folder_is_measured_with_questions_made_from_it(corpus: Path, tmp_path: Path) -> None:
    saved, page = tmp_path / "saved.jsonl", tmp_path / "page.html"
    data = tmp_path / "state"
    done = command(
        data, "eval", "--corpus", str(corpus), "--make", "3", "--save", str(saved), "--html", str(page), "--lang", "zh",
        "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["questions"]["answerable"] == 3
    assert done.json["metrics"]["hit@5"]["value"] > 0
    assert done.json["comparison"] is None
    lines = [json.loads(line) for line in saved.read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == [record["id"] for record in done.json["records"]]
    assert '<html lang="zh-CN">' in page.read_text(encoding="utf-8")
    assert [path.suffix for path in (data / "evaluations").iterdir()] == [".json"], "the folder's collection is gone"
    again = command(data, "eval", str(saved), "--corpus", str(corpus), "--compare", "STRICTNESS=1")
    assert again.code == 0, again.err
    assert "Found first" in again.out and "compared" in again.out
    assert command(data, "documents", "--json").json["documents"] == []


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--corpus", "x", "--collection", "y"), 2, "exclude each other"),
        (("q.jsonl", "--make", "3"), 2, "--make is for questions that are made"),
        (("q.jsonl", "--save", "x.jsonl"), 2, "--save is for questions that are made"),
        (("--make", "0"), 2, "--make 0 is too few"),
        (("/no/such.jsonl",), 1, "cannot be read"),
        (("--html", "/no/such/page.html"), 1, "no folder for /no/such/page.html"),
        ((), 1, "no collection 'default'"),
        (("--engine", "extractive"), 1, "quotes and writes no questions"),
        (("--compare", "STRICTNES=1"), 1, "Write NAME=VALUE"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, args: tuple[str, ...], code: int, words: str) -> None:
    done = command(tmp_path / "state", "eval", *args)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_bad_line_is_named(corpus: Path, tmp_path: Path) -> None:
    bad = questions(tmp_path, ASKED, {"question": "Which?", "docs": ["lighthouse.md"]})
    done = command(tmp_path / "state", "eval", bad, "--corpus", str(corpus), LOG_LEVEL="ERROR")
    assert (done.code, done.out) == (1, "")
    assert "questions.jsonl, line 2: there is no document 'lighthouse.md'; there is 'en/lighthouse.md'." in done.err


@pytest.mark.soak
def test_it_goes_through_the_server_that_runs(corpus: Path, tmp_path: Path) -> None:
    data = tmp_path / "state"
    assert command(data, "ingest", str(corpus)).code == 0
    asked = questions(tmp_path, ASKED, {"question": "How do I fold a fitted sheet?", "answerable": False})
    with server(data, "--no-page", LLM_ENGINE="extractive"):
        done = command(data, "eval", asked, "--json", "--compare", "STRICTNESS=1")
    assert done.code == 0, done.err
    assert done.json["metrics"]["hit@1"]["value"] == 1.0
    assert done.json["metrics"]["refused_unanswerable"]["value"] == 1.0
    assert done.json["comparison"]["other"]["settings"]["STRICTNESS"] == 1.0
    assert done.json["comparison"]["metrics"]["hit@1"]["difference"] == 0.0


def test_ctrl_c_ends_it_cleanly(corpus: Path, tmp_path: Path) -> None:
    data = tmp_path / "state"
    for number in range(15):
        (tmp_path / "many").mkdir(exist_ok=True)
        text = "\n\n".join(f"Tale {number}, part {part}: a long river in a green valley." for part in range(400))
        (tmp_path / "many" / f"{number}.txt").write_text(text, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "eval", "--corpus", str(tmp_path / "many")],
        cwd=ROOT, env=environment(data), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(data.glob("evaluations/.temporary-*/catalog.sqlite3")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err and err.endswith("stopped\n")
    assert list((data / "evaluations").iterdir()) == []
