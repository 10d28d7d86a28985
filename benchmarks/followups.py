"""How well follow-up questions are understood: two-turn conversations, searched with and without their history.

    .venv/bin/python benchmarks/followups.py FOLDER [FOLDER ...] [--show N] [--llm]

Each FOLDER holds ``corpus/`` and ``questions.jsonl`` as for ``benchmarks/retrieval.py``. Conversations are made of its
questions by one rule, "drop the subject of the second" (``followup_sets.py``); the answer between the two is the
passage of the first. Prints MRR@10 and hit@5 of

    a  the second question whole
    b  as it was typed, without history
    c  through ``contextualize_query`` without a model
    d  through ``contextualize_query`` with the model that the settings choose (only with ``--llm``)

and what share of ``a`` the others reach. Ingestion and search go through the command line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.llm_utils import build_llm, contextualize_query
from benchmarks.followup_sets import Conversation, conversations
from benchmarks.retrieval import reciprocal_rank, run

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

HITS = 5


def queries(made: list[Conversation], llm: BaseChatModel | None) -> dict[str, list[str]]:
    """What is searched for, by the letter of its kind, in the order of ``made``."""
    kinds: dict[str, Callable[[Conversation], str]] = {
        "a": lambda item: item.full,
        "b": lambda item: item.follow_up,
        "c": lambda item: contextualize_query(item.follow_up, history(item)),
    }
    if llm is not None:
        kinds["d"] = lambda item: contextualize_query(item.follow_up, history(item), llm)
    return {kind: [ask(item) for item in made] for kind, ask in kinds.items()}


def history(item: Conversation) -> list[tuple[str, str]]:
    """The turns before the follow-up."""
    return [("user", item.first), ("assistant", item.answer)]


def search(state: Path, name: str, asked: dict[str, list[str]]) -> dict[str, list[list[dict[str, Any]]]]:
    """The passages of each question, by kind."""
    file = state / "asked.jsonl"
    lines = [
        json.dumps({"id": f"{kind} {index}", "question": text}, ensure_ascii=False)
        for kind, texts in asked.items()
        for index, text in enumerate(texts)
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    answers = run(state, "search", "--questions", str(file), "--collection", name, "--json")
    found = {line["id"]: line["passages"] for line in map(json.loads, answers.splitlines())}
    return {kind: [found[f"{kind} {index}"] for index in range(len(texts))] for kind, texts in asked.items()}


def measure(folder: Path, state: Path, llm: BaseChatModel | None, show: int) -> None:
    """Print one folder's figures."""
    name = folder.resolve().name
    made = conversations(folder)
    step = max(1, len(made) // show) if show else len(made) + 1
    asked = queries(made, llm)
    for index in range(0, len(made) if show else 0, step):
        item = made[index]
        print(f"  {item.first} | {item.follow_up} | {item.full}\n    -> {asked['c'][index]}")
    run(state, "ingest", str(folder / "corpus"), "--collection", name)
    whole: tuple[float, float] | None = None
    for kind, found in search(state, name, asked).items():
        ranks = [reciprocal_rank(item.evidence, passages) for item, passages in zip(made, found, strict=True)]
        mrr, hit = sum(ranks) / len(ranks), sum(rank >= 1 / HITS for rank in ranks) / len(ranks)
        whole = whole or (mrr, hit)
        print(
            f"{name}, {len(made)} conversations, {kind}: MRR@10 {mrr:.4f} ({mrr / whole[0]:.3f} of a), "
            f"hit@{HITS} {hit:.4f} ({hit / whole[1]:.3f} of a)",
            flush=True,
        )


def main() -> int:
    """Measure every folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N conversations of each folder")
    parser.add_argument("--llm", action="store_true", help="also with the model that the settings choose")
    args = parser.parse_args()
    llm = build_llm() if args.llm else None
    with tempfile.TemporaryDirectory() as state:
        for folder in args.folders:
            measure(folder, Path(state), llm, args.show)
    return 0


if __name__ == "__main__":
    sys.exit(main())
