"""What several threads ask of one model at a time, asked together: whoever waits for its turn goes along with the next.

A model on a CPU needs hardly longer for six short texts than for one, so six readers need not wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.knowledge.embedder import Vectors


class _Wanted:
    """Texts of one thread, and what became of them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.vectors: Vectors | None = None
        self.error: BaseException | None = None


class Together:
    """Calls ``work`` with the texts of all who wait, one call at a time."""

    def __init__(self, work: Callable[[Sequence[str]], Vectors]) -> None:
        self._work = work
        self._waiting: list[_Wanted] = []
        self._joining = threading.Lock()
        self._turn = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """The vectors of ``texts``, in their order. Raises what ``work`` raises."""
        mine = _Wanted(texts)
        with self._joining:
            self._waiting.append(mine)
        with self._turn:
            if mine.vectors is None and mine.error is None:
                with self._joining:
                    everybody, self._waiting = self._waiting, []
                self._serve(everybody)
        if mine.error is not None:
            raise mine.error
        assert mine.vectors is not None
        return mine.vectors

    def _serve(self, everybody: Sequence[_Wanted]) -> None:
        try:
            vectors = self._work([text for wanted in everybody for text in wanted.texts])
        except BaseException as error:  # of each of them
            for wanted in everybody:
                wanted.error = error
            return
        first = 0
        for wanted in everybody:
            wanted.vectors = vectors[first : first + len(wanted.texts)]
            first += len(wanted.texts)
