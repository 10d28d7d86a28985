"""Whether the product knows when not to answer: collections are asked their own questions and those of others.

    .venv/bin/python benchmarks/relevance.py FOLDER [FOLDER ...]

Each FOLDER holds ``corpus/`` and ``questions.jsonl`` as for retrieval.py. Its files are dealt into two halves, one
after the other, and each half becomes a collection. It is asked the questions whose evidence it holds (own), those of
the other half (foreign), and those of the other folders (elsewhere: other subjects and languages). Prints the area
under the curve of the relevance (0.5: by chance, 1: every own question above every other) and the shares refused at
the default strictness.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from retrieval import run

_ELSEWHERE = 100  # questions of each other folder


def area(higher: Sequence[float], lower: Sequence[float]) -> float:
    """Mann and Whitney's: how often one of ``higher`` is above one of ``lower``; a tie counts half."""
    ranked = sorted([(value, True) for value in higher] + [(value, False) for value in lower])
    won, below, index = 0.0, 0, 0
    while index < len(ranked):
        last = index
        while last < len(ranked) and ranked[last][0] == ranked[index][0]:
            last += 1
        tied = [is_higher for _, is_higher in ranked[index:last]]
        won += tied.count(True) * (below + tied.count(False) / 2)
        below += tied.count(False)
        index = last
    return won / (len(higher) * len(lower))


def read(folder: Path) -> list[dict[str, Any]]:
    """The questions of a folder."""
    with open(folder / "questions.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def ask(state: Path, collection: str, questions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What ``search`` says of each question."""
    asked = state / "asked.jsonl"
    lines = [json.dumps({"id": str(index), "question": item["question"]}) for index, item in enumerate(questions)]
    asked.write_text("\n".join(lines), encoding="utf-8")
    answer = run(state, "search", "--questions", str(asked), "-k", "1", "--collection", collection, "--json")
    return [json.loads(line) for line in answer.splitlines()]


def refused(found: Sequence[dict[str, Any]]) -> float:
    """The share that is refused."""
    return sum(not item["relevant"] for item in found) / len(found)


def measure(state: Path, folder: Path, others: Sequence[Path]) -> str:
    """One line about a folder."""
    files = sorted(path for path in (folder / "corpus").iterdir() if path.is_file())
    halves = [{path.name for path in files[first::2]} for first in (0, 1)]
    questions = read(folder)
    elsewhere = [item for other in others for item in read(other)[::7][:_ELSEWHERE]]
    own: list[dict[str, Any]] = []
    foreign: list[dict[str, Any]] = []
    far: list[dict[str, Any]] = []
    for number, half in enumerate(halves):
        name = f"{folder.resolve().name}-{number}"
        corpus = state / name
        corpus.mkdir()
        for path in files:
            if path.name in half:
                shutil.copy(path, corpus / path.name)
        run(state, "ingest", str(corpus), "--collection", name)
        held = [all(gold["doc"] in half for gold in item["evidence"]) for item in questions]
        own += ask(state, name, [item for item, here in zip(questions, held, strict=True) if here])
        foreign += ask(state, name, [item for item, here in zip(questions, held, strict=True) if not here])
        far += ask(state, name, elsewhere) if elsewhere else []
    told = [item["relevance"] for item in own]
    line = (
        f"{folder.resolve().name}: own refused {refused(own):.3f} of {len(own)};"
        f" foreign: area {area(told, [item['relevance'] for item in foreign]):.4f}, refused {refused(foreign):.3f}"
    )
    if far:
        line += f"; elsewhere: area {area(told, [item['relevance'] for item in far]):.4f}, refused {refused(far):.3f}"
    return line


def main(folders: list[str]) -> int:
    """Measure every folder."""
    if not folders:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    paths = [Path(folder) for folder in folders]
    for path in paths:
        with tempfile.TemporaryDirectory() as state:
            print(measure(Path(state), path, [other for other in paths if other != path]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
