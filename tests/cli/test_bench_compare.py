"""``bench compare`` and ``bench tune`` as a user runs them, with a real, tiny model."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml

from app.cli import main
from app.config import get_settings
from tests.engines.tiny_model import make
from tests.product import ROOT, environment

SMALL = ["--readers", "1,2", "--turns", "1", "--repeats", "2", "--requests", "2", "--tokens", "4", "--synthetic", "20"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    return make(folder / "one"), make(folder / "two", seed=1)


@pytest.fixture
def here(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[pytest.CaptureFixture[str]]:
    """Commands run in this process, with a data folder and a settings file of the test."""
    (tmp_path / "config.yaml").write_text("# mine\nLLM_ENGINE: extractive\n", encoding="utf-8")
    values = {
        "DATA_DIR": str(tmp_path), "CONFIG_FILE": str(tmp_path / "config.yaml"), "HF_MODEL_PATH": str(models[0]),
        "HF_DEVICE": "cpu", "OLLAMA_BASE_URL": "http://127.0.0.1:9", "LOG_LEVEL": "ERROR",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("app.logs.set_up_logging", lambda settings: None)  # it would hold for the tests after these
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    get_settings.cache_clear()
    yield capsys
    get_settings.cache_clear()
    torch.set_num_threads(before)


def test_a_comparison_is_told_written_kept_and_set(
    here: pytest.CaptureFixture[str], models: tuple[Path, Path], tmp_path: Path
) -> None:
    files = ["--csv", str(tmp_path / "r.csv"), "--html", str(tmp_path / "r.html"), "--lang", "zh"]

    code = main(["bench", "compare", "ollama", f"hf={models[1]}", *SMALL, *files, "--apply"])

    told = here.readouterr()
    assert code == 0, told.err
    assert "Ollama is not running" in told.out and "hf" in told.out and "词元" in told.out
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text(encoding="utf-8").splitlines()))
    assert len([row for row in rows if row["label"] == "hf"]) == 2 * 2
    assert '<html lang="zh-CN">' in (tmp_path / "r.html").read_text(encoding="utf-8")
    (kept,) = (tmp_path / "benchmarks").iterdir()
    assert json.loads(kept.read_text(encoding="utf-8"))["advice"]["label"] == "hf"
    written = (tmp_path / "config.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(written) == {"LLM_ENGINE": "hf", "HF_MODEL_PATH": str(models[1])}
    assert written.startswith("# mine\n")
    assert "config.yaml says now: LLM_ENGINE" in told.err and "Until now it said extractive." in told.err
    assert "HF_MODEL_PATH wins over the file" in told.err


def test_settings_are_tried_and_nothing_is_kept_where_that_is_asked_for(
    here: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code = main(["bench", "tune", "hf", *SMALL, "--try", "draft,prefix-caching", "--json", "--no-keep"])

    told = here.readouterr()
    report = json.loads(told.out)
    assert code == 0, told.err
    assert [contestant["label"] for contestant in report["contestants"]] == [
        "hf", "prefix-caching", "draft"
    ]  # fmt: skip
    assert report["contestants"][1]["problem"] == "hf has no prefix caching."
    assert list((tmp_path / "benchmarks").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["compare", "hf", "extractive"], 1, "no model"),
        (["compare", "hf"], 1, "two engines"),
        (["compare", "hf", "vlm"], 1, "'vlm' is no engine. Did you mean vllm?"),
        (["compare", "ollama", "vllm_openai"], 1, "Nothing can be measured. ollama: Ollama is not running"),
        (["compare", "hf", "vllm", "--readers", "one"], 2, "--readers 'one' is no list of numbers"),
        (["compare", "hf", "vllm", "--readers", "0"], 1, "Readers: 0"),
        (["compare", "hf", "vllm", "--prompts", "/nowhere"], 1, "/nowhere cannot be read"),
        (["compare", "hf", "vllm", "--prompts", "x", "--synthetic", "9"], 2, "exclude each other"),
        (["compare", "hf", "vllm", "--synthetic", "9", "--collection", "mine"], 2, "asks no collection"),
        (["compare", "hf", "ollama", "--collection", "mine"], 1, "mine"),
        (["compare", "hf", "vllm", "--csv", "/nowhere/r.csv"], 1, "no folder"),
        (["tune", "hf", "--try", "luck"], 1, "'luck' cannot be tried"),
        (["tune", "nobody"], 1, "is no engine"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    here: pytest.CaptureFixture[str], arguments: list[str], code: int, told: str
) -> None:
    assert main(["bench", *arguments]) == code
    lines = here.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and told in lines[0]


def test_no_prompts_are_said(here: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("\n \n", encoding="utf-8")

    assert main(["bench", "compare", "hf", "ollama", "--prompts", str(tmp_path / "none.txt")]) == 1
    assert "There is no prompt in none.txt" in here.readouterr().err


def test_ctrl_c_tells_what_was_measured_until_then(models: tuple[Path, Path], tmp_path: Path) -> None:
    one, two = models
    run = subprocess.Popen(
        [
            sys.executable, "-m", "app", "bench", "compare", "hf", f"hf={two}", "--readers", "1", "--turns", "1",
            "--repeats", "100", "--requests", "1", "--tokens", "4", "--json",
        ],
        cwd=ROOT, env=environment(tmp_path, HF_MODEL_PATH=str(one), HF_DEVICE="cpu"), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, encoding="utf-8", bufsize=1,
    )  # fmt: skip
    assert run.stderr is not None
    for line in run.stderr:
        if line.startswith("measuring"):
            break
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=120)

    report = json.loads(out)
    assert run.returncode == 130, err
    assert report["interrupted"] and report["cells"] and "Traceback" not in err
    (kept,) = (tmp_path / "benchmarks").iterdir()
    assert json.loads(kept.read_text(encoding="utf-8"))["id"] == report["id"]
