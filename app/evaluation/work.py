"""An evaluation from beginning to end: documents, questions, one run, and a second one where settings are compared."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import EvaluationError
from app.evaluation import temporary
from app.evaluation.comparison import Comparison, compare
from app.evaluation.documents import Documents
from app.evaluation.everyday import unanswerable
from app.evaluation.making import cloze
from app.evaluation.measuring import border, measure
from app.evaluation.questions import Question, check, parse
from app.evaluation.report import Run, summed_up
from app.evaluation.sentences import sample
from app.evaluation.variants import Variant, shown, variant
from app.evaluation.writing import write
from app.runs import now
from app.schema import OnProgress

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from app.config import Settings
    from app.knowledge.library import Knowledge

    WriterOf = Callable[[str], AbstractContextManager[BaseChatModel]]

MADE = 50
"""Questions that are made where there are none."""
_EVERYDAY = 5  # one unanswerable question for so many made ones
_LOOKED_THROUGH = 500  # documents whose words an everyday question must not be about


@dataclass(frozen=True)
class Request:
    """What to measure. Without ``questions`` (JSON Lines, of the file called ``file``) ``make`` of them are made.

    ``corpus`` is a folder that is read for this evaluation alone, else ``collection`` is asked. ``engine`` names who
    writes the questions. ``compare`` are settings, NAME=VALUE, of a second run.
    """

    questions: str | None = None
    file: str = ""
    corpus: Path | None = None
    collection: str | None = None
    make: int = MADE
    seed: int = 0
    engine: str | None = None
    compare: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluated:
    """A run, and where settings were compared the other one; ``failed`` are files of the folder that were not read."""

    run: Run
    other: Run | None = None
    failed: tuple[str, ...] = ()

    @property
    def comparison(self) -> Comparison | None:
        """The other run against the first."""
        return compare(self.run, self.other) if self.other else None

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        comparison = self.comparison
        both = {**comparison.as_dict(), "other": self.other.as_dict()} if comparison and self.other else None
        return {**self.run.as_dict(), "failed": list(self.failed), "comparison": both}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Evaluated:
        """The inverse of :meth:`as_dict`."""
        both = data["comparison"]
        return cls(Run.from_dict(data), Run.from_dict(both["other"]) if both else None, tuple(data["failed"]))


class Work:
    """One evaluation. ``home`` is the folder below which temporary collections are made."""

    def __init__(
        self, request: Request, settings: Settings, knowledge: Knowledge, writer: WriterOf, home: Path
    ) -> None:
        self._request = request
        self._settings = settings
        self._knowledge = knowledge
        self._writer = writer
        self._home = home

    def do(self, on_progress: OnProgress) -> Evaluated:
        """All of it, in this thread.

        Raises:
            EvaluationError: questions, folder or settings to compare are of no use.
            ConfigError: a value to compare is impossible.
            HotswapError: as reading, searching and the engine do.
        """
        request = self._request
        other = variant(request.compare, self._settings) if request.compare else None
        questions = parse(request.questions, request.file) if request.questions is not None else None
        if request.make < 1:
            raise EvaluationError(f"{request.make} questions are too few.", "Make 1 at least.")
        if request.corpus is None:
            return self._over_collection(questions, other, on_progress)
        return self._over_corpus(request.corpus, questions, other, on_progress)

    def _over_corpus(
        self, corpus: Path, questions: Sequence[Question] | None, other: Variant | None, on_progress: OnProgress
    ) -> Evaluated:
        with temporary.folder(self._home) as data:
            with temporary.opened(self._settings, data) as knowledge:
                failed = temporary.ingest(knowledge, corpus, self._settings.data_dir, on_progress)
                questions = self._questions(questions, knowledge, None, on_progress)
                run = self._run(knowledge, None, questions, on_progress)
            second = None
            if other and not other.reindexes:
                with temporary.opened(other.settings, data) as knowledge:
                    second = self._run(knowledge, None, questions, on_progress, other)
            elif other:
                with temporary.folder(self._home) as anew, temporary.opened(other.settings, anew) as knowledge:
                    temporary.ingest(knowledge, corpus, self._settings.data_dir, on_progress)
                    second = self._run(knowledge, None, questions, on_progress, other)
        return Evaluated(run, second, tuple(failed))

    def _over_collection(
        self, questions: Sequence[Question] | None, other: Variant | None, on_progress: OnProgress
    ) -> Evaluated:
        name = self._request.collection
        questions = self._questions(questions, self._knowledge, name, on_progress)
        run = self._run(self._knowledge, name, questions, on_progress)
        second = None
        if other:
            with self._changed(other, on_progress) as (knowledge, named):
                second = self._run(knowledge, named, questions, on_progress, other)
        return Evaluated(run, second)

    @contextmanager
    def _changed(self, other: Variant, on_progress: OnProgress) -> Iterator[tuple[Knowledge, str | None]]:
        """The collection under other settings: the same one, read only, or its texts indexed anew."""
        name = self._request.collection
        if not other.reindexes:
            with temporary.opened(other.settings, self._settings.data_dir) as knowledge:
                yield knowledge, name
            return
        with temporary.folder(self._home) as data, temporary.opened(other.settings, data) as knowledge:
            temporary.copy(self._knowledge, name, knowledge, on_progress)
            yield knowledge, None

    def _run(
        self,
        knowledge: Knowledge,
        collection: str | None,
        questions: Sequence[Question],
        on_progress: OnProgress,
        other: Variant | None = None,
    ) -> Run:
        request = self._request
        documents = Documents(knowledge, collection)
        records = measure(knowledge.retriever(collection), questions, documents, on_progress)
        at, name = now()
        return summed_up(
            Run(
                id=name,
                at=at,
                name=request.file if request.questions is not None else "",
                source=str(request.corpus) if request.corpus else request.collection or "default",
                documents=len(documents.known),
                made="file" if request.questions is not None else request.engine or "cloze",
                settings=shown(knowledge.settings, other),
                border=border(knowledge.settings.strictness),
                records=records,
            )
        )

    def _questions(
        self,
        given: Sequence[Question] | None,
        knowledge: Knowledge,
        collection: str | None,
        on_progress: OnProgress,
    ) -> Sequence[Question]:
        knowledge.collection(collection)  # says which ones there are where it is none
        documents = Documents(knowledge, collection)
        if given is not None:
            check(given, self._request.file, documents.known, documents.text)
            return given
        return self._made(documents, on_progress)

    def _made(self, documents: Documents, on_progress: OnProgress) -> list[Question]:
        request = self._request
        draw = random.Random(request.seed)
        found = sample(documents, request.make, draw, on_progress)
        questions: list[Question]
        if request.engine:
            with self._writer(request.engine) as llm:
                questions = write(llm, found, documents.text, request.make, on_progress)
        else:
            questions = cloze(found, request.make, draw)
        if not questions:
            raise EvaluationError(
                "The documents hold no sentence that a question could be made of.",
                "Write questions of your own, one a line; docs/eval.md shows how.",
            )
        languages = [sentence.language for sentence in found]
        names = sorted(documents.known)[:_LOOKED_THROUGH]
        few = max(1, len(questions) // _EVERYDAY)
        return questions + unanswerable(few, languages, map(documents.text, names), draw)
