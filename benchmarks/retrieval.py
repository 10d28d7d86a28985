"""How well the product retrieves: ingests collections and asks them questions, through the command line.

    .venv/bin/python benchmarks/retrieval.py FOLDER [FOLDER ...]

Each FOLDER holds ``corpus/`` (files) and ``questions.jsonl``, a line each: ``{"id", "question", "evidence":
[{"doc", "start", "end"}, ...]}`` with offsets in code points of the file. Prints, for each, MRR@10 (the first passage
that wholly contains a piece of evidence) and the recall of evidence within the first 2,000 characters.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BUDGET = 2000  # code points


def run(data: Path, *args: str) -> str:
    """The output of one command on a data folder of its own."""
    env = {**os.environ, "DATA_DIR": str(data), "LOG_LEVEL": "WARNING", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "app", *args], cwd=ROOT, env=env, check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def reciprocal_rank(evidence: list[dict[str, Any]], passages: list[dict[str, Any]]) -> float:
    """1 / rank of the first of ten passages that holds a whole piece of evidence; 0 without one."""
    for rank, passage in enumerate(passages[:10], 1):
        for gold in evidence:
            if passage["doc"] == gold["doc"] and passage["start"] <= gold["start"] and gold["end"] <= passage["end"]:
                return 1 / rank
    return 0.0


def recall(evidence: list[dict[str, Any]], passages: list[dict[str, Any]]) -> float:
    """The share of the evidence's characters among the first ``BUDGET`` characters of the passages."""
    wanted = {(gold["doc"], at) for gold in evidence for at in range(gold["start"], gold["end"])}
    read: set[tuple[str, int]] = set()
    left = BUDGET
    for passage in passages:
        size = min(left, passage["end"] - passage["start"])
        read |= {(passage["doc"], at) for at in range(passage["start"], passage["start"] + size)}
        left -= size
    return len(wanted & read) / len(wanted)


def main(folders: list[str]) -> int:
    """Measure every folder."""
    if not folders:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    with tempfile.TemporaryDirectory() as state:
        for folder in map(Path, folders):
            name = folder.resolve().name
            run(Path(state), "ingest", str(folder / "corpus"), "--collection", name)
            asked = str(folder / "questions.jsonl")
            answers = run(Path(state), "search", "--questions", asked, "--collection", name, "--json")
            found = {line["id"]: line["passages"] for line in map(json.loads, answers.splitlines())}
            with open(asked, encoding="utf-8") as lines:
                questions = [json.loads(line) for line in lines if line.strip()]
            ranks = [reciprocal_rank(item["evidence"], found[item["id"]]) for item in questions]
            recalls = [recall(item["evidence"], found[item["id"]]) for item in questions]
            mrr, share = sum(ranks) / len(ranks), sum(recalls) / len(recalls)
            print(
                f"{name}: {len(questions)} questions, MRR@10 {mrr:.4f}, recall in {BUDGET} characters {share:.4f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
