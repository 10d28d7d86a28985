"""A reranker: reads a question and a passage together and tells how well they fit, on this machine."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from app.errors import RerankerUnavailable
from app.knowledge.sentence_models import RERANKER, Allowed, find_whole, load

_BATCH = 8  # pairs; they are sorted by length, so that few are filled up far
_LONGEST_QUESTION = 2000  # characters; each pair holds the question, and most models read 512 tokens of a pair


class Reranker:
    """A lazily loaded cross-encoder of sentence-transformers. Safe from several threads."""

    def __init__(self, name: str, allowed: Allowed | None = None) -> None:
        self.name = name
        self._allowed = allowed or Allowed()
        self._model: Any = None
        self._lock = threading.Lock()

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """How well each passage answers the question; higher is better, and only one question's are comparable.

        The model cuts off what is longer than it can read.

        Raises:
            RerankerUnavailable: the model is missing, damaged or no cross-encoder.
        """
        if not passages:
            return []
        question = question[:_LONGEST_QUESTION]
        with self._lock:
            model = self._load()
            from torch.nn import Identity  # the scores before they are squeezed into 0 to 1, where the best are equal

            scores = model.predict(
                [(question, passage) for passage in passages],
                batch_size=_BATCH,
                activation_fn=Identity(),
                show_progress_bar=False,
            )
        return [float(score) for score in scores]

    def _load(self) -> Any:
        if self._model is None:
            model = load(RERANKER, self.name, find_whole(RERANKER, self.name, self._allowed), self._allowed)
            if model.num_labels != 1:
                raise RerankerUnavailable(
                    f"{self.name} sorts text into {model.num_labels} classes; a reranker gives each passage one score.",
                    f"Set RERANKER_MODEL to a reranker, such as {RERANKER.example}.",
                )
            self._model = model
        return self._model
