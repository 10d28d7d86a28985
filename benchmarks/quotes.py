"""Whether the answer without a model holds the answer: each question is asked of the engine that quotes.

    .venv/bin/python benchmarks/quotes.py FOLDER [FOLDER ...]

Each FOLDER holds ``corpus/`` and ``questions.jsonl`` as for retrieval.py, with an ``answer_span`` or an ``evidence``
for each question. Everything is as a user has it: the default strictness (a refusal is a miss), three sentences at
most. Prints the share of questions whose answer lies whole in one quoted sentence, and the share whose answer's words
stand in one.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from retrieval import ROOT, run

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(ROOT))


def squeezed(text: str) -> str:
    """``text`` without white space and case."""
    return "".join(text.casefold().split())


def holds(item: dict[str, Any], citations: list[dict[str, Any]]) -> tuple[bool, bool]:
    """Whether one citation covers the answer's place, and whether one has its words."""
    place = item.get("answer_span") or item["evidence"][0]
    covers = any(
        cited["doc"] == place["doc"] and cited["start"] <= place["start"] and place["end"] <= cited["end"]
        for cited in citations
    )
    words = [squeezed(answer) for answer in item.get("answers", []) if squeezed(answer)]
    return covers, any(answer in squeezed(cited["text"]) for cited in citations for answer in words)


def measure(state: Path, folder: Path) -> str:
    """One line about a folder."""
    from app.config import load_settings
    from app.engines.extractive import ExtractiveEngine
    from app.knowledge import open_knowledge
    from app.llm_utils import get_response

    run(state, "ingest", str(folder / "corpus"))
    settings = load_settings(data_dir=state)
    knowledge = open_knowledge(settings)
    try:
        retriever, llm = knowledge.retriever(), ExtractiveEngine(settings).chat_model()
        with open(folder / "questions.jsonl", encoding="utf-8") as lines:
            questions = [json.loads(line) for line in lines if line.strip()]
        answers = [get_response(item["question"], retriever=retriever, llm=llm).wait().as_dict() for item in questions]
    finally:
        knowledge.close()
    found = [holds(item, answer["citations"]) for item, answer in zip(questions, answers, strict=True)]
    count = len(questions)
    place, words = (sum(kind) / count for kind in zip(*found, strict=True))
    refused = sum(answer["refused"] for answer in answers) / count
    return (
        f"{folder.resolve().name}: {count} questions, the answer's place is quoted {place:.3f}, its words {words:.3f},"
        f" refused {refused:.3f}"
    )


def main(folders: list[str]) -> int:
    """Measure every folder."""
    if not folders:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    for folder in map(Path, folders):
        with tempfile.TemporaryDirectory() as state:
            print(measure(Path(state), folder), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
