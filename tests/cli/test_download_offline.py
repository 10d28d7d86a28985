"""``download_model.py`` with OFFLINE: what is here is found, nothing else is tried, seen at the socket."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import ROOT
from tests.engines import tiny_model
from tests.plugins.sockets import Record
from tests.product import environment

# One process for all: what takes time is the start of Python.
PROGRAM = """
import contextlib, io, json, sys
from app.cli.download import main

said = {}
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    said[" ".join(words)] = [code, out.getvalue(), err.getvalue()]
print(json.dumps(said))
"""
TALKATIVE = {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "0"}


def run(commands: list[list[str]], folder: Path, record: Record, **settings: str) -> dict[str, list[str]]:
    given = environment(folder / "state", **TALKATIVE, **record.environment, **settings)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)], cwd=ROOT, env=given, capture_output=True, text=True,
        timeout=200, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said: dict[str, list[str]] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("setting", ["1", "true"])
def test_nothing_is_asked_of_anybody(tmp_path: Path, setting: str) -> None:
    record, tiny = Record(tmp_path), tiny_model.make(tmp_path / "tiny")
    fetches = [
        ["org/model"], ["org/model", "--source", "modelscope"], ["org/model", "--source", "hf-mirror"],
        ["org/model", "--source", "http://mirror.invalid"], ["https://huggingface.co/org/model"],
        ["https://modelscope.cn/models/org/model"], ["org/model", "--to", str(tmp_path / "there"), "--revision", "v1"],
    ]  # fmt: skip

    said = run(
        [*fetches, [str(tiny)], ["--list"], ["--recommend"]],
        tmp_path, record, OFFLINE=setting, HF_ENDPOINT="http://hub.invalid", MODELSCOPE_ENDPOINT="http://scope.invalid",
    )  # fmt: skip

    for words in fetches:
        code, out, err = said[" ".join(words)]
        assert (code, out) == (1, "")
        assert "org/model is not on this disk, and OFFLINE is set." in err and len(err.splitlines()) == 1
    assert said[str(tiny)][0] == 0 and str(tiny) in said["--list"][1]
    assert record.processes() and record.foreign() == []


def test_without_offline_it_asks_the_hub_alone_and_says_that_it_does_not_answer(tmp_path: Path) -> None:
    """The record would show it; and telemetry has no other host either."""
    record = Record(tmp_path)

    code, _, err = run([["org/model"]], tmp_path, record, HF_ENDPOINT="http://hub.invalid")["org/model"]

    assert (code, len(err.splitlines())) == (1, 1)
    assert "hub.invalid cannot be reached" in err
    assert {line.rpartition(" ")[2] for line in record.foreign()} == {"hub.invalid"}
