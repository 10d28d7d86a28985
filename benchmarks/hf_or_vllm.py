"""The README's comparison of engines: transformers and vLLM on this machine, with the same 75 million random weights.

    python benchmarks/hf_or_vllm.py [FOLDER] [--layers 10] [-- --readers 1,8,32 --repeats 3 …]

Makes the model (bf16, hidden size 960; its words are noise and its speed is real) in FOLDER, unless it is there, and
runs `python -m app bench compare` on it, to which everything after `--` is passed on. What it shows is how the two
engines compare on this machine with a model of this size, and nothing about answers.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.engines import tiny_model  # noqa: E402

NAME = "random-75m"


def model(folder: Path, layers: int) -> Path:
    """The model in ``folder``, made where it is missing."""
    path = folder / NAME
    if not (path / "config.json").exists():
        tiny_model.make(path, layers=layers, hidden=960, tied=False)
    size = (path / "model.safetensors").stat().st_size / 2e6
    print(f"{size:.1f} million parameters in {path}", file=sys.stderr)
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", nargs="?", type=Path, help="where the model is kept (default: a temporary folder)")
    parser.add_argument("--layers", type=int, default=10)
    parser.add_argument("bench", nargs="*", help="options of `bench compare`, after --")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = model(args.folder or Path(temporary), args.layers)
        command = [sys.executable, "-m", "app", "bench", "compare", f"hf={path}", f"vllm={path}", *args.bench]
        environment = {"DATA_DIR": f"{temporary}/state", "HF_DTYPE": "bfloat16", "VLLM_DTYPE": "bfloat16", **os.environ}
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
