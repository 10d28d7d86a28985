"""The list of vLLM's engine arguments is what the installed vLLM prints, so that a new vLLM cannot make it stale."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM does not run on this system")
def test_the_list_is_what_vllm_prints() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "tools.vllm_arguments"], cwd=ROOT, capture_output=True, text=True, timeout=250
    )

    assert printed.returncode == 0, printed.stderr
    assert (ROOT / "app" / "vllm_arguments.json").read_text(encoding="utf-8") == printed.stdout
