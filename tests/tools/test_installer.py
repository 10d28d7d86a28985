from __future__ import annotations

from pathlib import Path

import pytest

from tools import installer


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("ERROR: OSError: [Errno 28] No space left on device", "disk is full"),
        ("Error: [Errno 13] Permission denied: '/opt/hotswap/.venv'", "cannot be written to"),
        ("OSError: [Errno 30] Read-only file system: '.venv'", "cannot be written to"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))", "PIP_CERT"),
        ("Temporary failure in name resolution\nERROR: No matching distribution", "check the network"),
        ("Connection to pypi timed out. (connect timeout=15)", "check the network"),
        ("ERROR: No matching distribution found for torch==2.13.0", "PIP_INDEX_URL"),
        ("ERROR: ResolutionImpossible: for help visit", "PIP_NO_INDEX"),
        ("something nobody has seen", "Run the same command again"),
    ],
)
def test_hint_names_the_way_out(output: str, advice: str) -> None:
    assert advice in installer.hint(output)


def test_last_errors_are_pips_own() -> None:
    output = "Collecting a\nERROR: first\nnote\nERROR: second\nERROR: X: for help visit y\n\n"
    assert installer.last_errors(output) == ["ERROR: first", "ERROR: second"]
    assert installer.last_errors(output, count=1) == ["ERROR: second"]


def test_last_errors_fall_back_to_the_last_lines() -> None:
    assert installer.last_errors("one\n\ntwo\n  three \n\n", count=2) == ["two", "three"]
    assert installer.last_errors("") == []


@pytest.mark.parametrize(
    ("line", "expected", "large"),
    [
        ("  Downloading torch-2.13.0.whl (526.6 MB)\n", "downloading torch-2.13.0.whl (526.6 MB)", True),
        ("  Downloading https://host/jieba.tar.gz (19.2 MB)", "downloading jieba.tar.gz (19.2 MB)", True),
        ("  Downloading ollama-0.6.3.whl (16 kB)", "downloading ollama-0.6.3.whl (16 kB)", False),
        ("  Downloading a-1.whl (2.1 GB)", "downloading a-1.whl (2.1 GB)", True),
        ("Collecting langchain-core==1.7.2", "looking at langchain-core", False),
        ("Installing collected packages: a, b, c", "unpacking packages: 3 (a large one takes a minute)", True),
    ],
)
def test_headline(line: str, expected: str, large: bool) -> None:
    assert installer.headline(line) == expected
    assert installer.large(expected) is large


def test_headline_of_the_rest_is_none() -> None:
    assert installer.headline("Requirement already satisfied: numpy in ./.venv") is None


def test_heal_forgets_packages_that_were_cut_off(tmp_path: Path) -> None:
    whole, half = tmp_path / "whole-1.0.dist-info", tmp_path / "half-1.0.dist-info"
    for folder in (whole, half):
        folder.mkdir()
        (folder / "METADATA").write_text("Name: it\n")
    (whole / "INSTALLER").write_text("pip\n")
    installer.heal(tmp_path)
    assert whole.exists()
    assert not half.exists()
