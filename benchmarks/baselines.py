"""What the usual pipelines find on the same data as retrieval.py, to set beside it.

    .venv/bin/python benchmarks/baselines.py FOLDER [FOLDER ...]

LangChain's tutorial: RecursiveCharacterTextSplitter (1,000 characters, 200 repeated) and cosine similarity of the
packaged embedding model; BM25 (k1 = 1.5, b = 0.75, words in small letters, Chinese cut by jieba) over the same
chunks; and reciprocal rank fusion of the two (k = 60). Needs nothing but what the product installs.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from retrieval import BUDGET, ROOT, recall, reciprocal_rank

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(ROOT))

Passage = dict[str, Any]
_WORD = re.compile(r"\w+")
_DEPTH = 60  # of each ranking that is fused


def chunks(corpus: Path) -> list[Passage]:
    """The chunks of LangChain's splitter, with their offsets."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200, add_start_index=True)
    found: list[Passage] = []
    for path in sorted(corpus.iterdir()):
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read()
        for document in splitter.create_documents([text]):
            start = document.metadata["start_index"]
            words = document.page_content
            found.append({"doc": path.name, "start": start, "end": start + len(words), "text": words})
    return found


def terms(text: str) -> list[str]:
    """Words in small letters; Chinese by jieba."""
    import jieba

    jieba.setLogLevel(60)
    return [word for word in jieba.cut(text.casefold()) if _WORD.match(word)]


class BM25:
    """Robertson's formula over a list of texts."""

    def __init__(self, texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> None:
        bags = [terms(text) for text in texts]
        mean = sum(map(len, bags)) / len(bags)
        counts: dict[str, dict[int, int]] = {}
        for index, bag in enumerate(bags):
            for word in bag:
                row = counts.setdefault(word, {})
                row[index] = row.get(index, 0) + 1
        self.size = len(bags)
        self.scores_of: dict[str, list[tuple[int, float]]] = {}
        for word, rows in counts.items():
            rarity = np.log(1 + (self.size - len(rows) + 0.5) / (len(rows) + 0.5))
            self.scores_of[word] = [
                (index, rarity * count * (k1 + 1) / (count + k1 * (1 - b + b * len(bags[index]) / mean)))
                for index, count in rows.items()
            ]

    def scores(self, question: str) -> np.ndarray:
        """One score for each text."""
        total = np.zeros(self.size)
        for word in terms(question):
            for index, score in self.scores_of.get(word, ()):
                total[index] += score
        return total


def main(folders: list[str]) -> int:
    """Measure every folder."""
    if not folders:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    from app.knowledge.embedder import PACKAGED_NAME, Embedder

    embedder = Embedder(PACKAGED_NAME)
    for folder in map(Path, folders):
        passages = chunks(folder / "corpus")
        with open(folder / "questions.jsonl", encoding="utf-8") as lines:
            questions = [json.loads(line) for line in lines if line.strip()]
        vectors = embedder.embed([passage["text"] for passage in passages])
        asked = embedder.embed_questions([item["question"] for item in questions])
        words = BM25([passage["text"] for passage in passages])
        rankings: dict[str, list[list[int]]] = {"dense": [], "BM25": [], "RRF": []}
        for item, vector in zip(questions, asked, strict=True):
            dense = np.argsort(-(vectors @ vector), kind="stable")[:_DEPTH].tolist()
            sparse = np.argsort(-words.scores(item["question"]), kind="stable")[:_DEPTH].tolist()
            fused: dict[int, float] = {}
            for ranking in (dense, sparse):
                for rank, index in enumerate(ranking, 1):
                    fused[index] = fused.get(index, 0.0) + 1 / (60 + rank)
            rankings["dense"].append(dense)
            rankings["BM25"].append(sparse)
            rankings["RRF"].append(sorted(fused, key=lambda index: -fused[index]))
        for name, ranked in rankings.items():
            found = [[passages[index] for index in ranking] for ranking in ranked]
            evidence = [item["evidence"] for item in questions]
            mrr = np.mean([reciprocal_rank(gold, top) for gold, top in zip(evidence, found, strict=True)])
            share = np.mean([recall(gold, top) for gold, top in zip(evidence, found, strict=True)])
            print(
                f"{folder.resolve().name}, {name}: MRR@10 {mrr:.4f}, recall in {BUDGET} characters {share:.4f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
