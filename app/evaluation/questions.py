"""The questions of an evaluation: read from JSON Lines, checked against the documents, written again.

One object a line: ``question``, and what answers it. That is ``evidence`` (places in documents), else ``answers``
(words), else ``docs`` (names of documents); or ``"answerable": false``, where a refusal is the right answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app.errors import EvaluationError
from app.text import trim

Kind = Literal["evidence", "answers", "docs", "unanswerable"]
"""What a question is judged by."""

EXAMPLE = '{"question": "How …?", "answers": ["…"]}'
LONGEST = 4000
"""Characters of a question."""


@dataclass(frozen=True)
class Place:
    """Where evidence stands: code points of the document's extracted text, ``end`` exclusive."""

    doc: str
    start: int
    end: int


@dataclass(frozen=True)
class Question:
    """A question and what answers it. ``line`` is where it stood in its file, 0 for one that was made."""

    id: str
    question: str
    evidence: tuple[Place, ...] = ()
    answers: tuple[str, ...] = ()
    docs: tuple[str, ...] = ()
    answerable: bool = True
    line: int = field(default=0, compare=False)

    @property
    def kind(self) -> Kind:
        """What it is judged by."""
        if not self.answerable:
            return "unanswerable"
        return "evidence" if self.evidence else "answers" if self.answers else "docs"

    def as_dict(self) -> dict[str, Any]:
        """The question as a line of a file holds it."""
        data: dict[str, Any] = {"id": self.id, "question": self.question}
        if self.evidence:
            data["evidence"] = [{"doc": at.doc, "start": at.start, "end": at.end} for at in self.evidence]
        if self.answers:
            data["answers"] = list(self.answers)
        if self.docs:
            data["docs"] = list(self.docs)
        if not self.answerable:
            data["answerable"] = False
        return data


def parse(text: str, name: str) -> list[Question]:
    """The questions in ``text``, the content of the file ``name``.

    A question without an id gets the number of its line.

    Raises:
        EvaluationError: a line is no question, an id stands twice, or there is none at all.
    """
    questions: list[Question] = []
    seen: dict[str, int] = {}
    # Not splitlines(): JSON may hold U+2028 and its like unescaped.
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if not line.strip():
            continue
        question = _Line(line, name, number).question()
        if question.id in seen:
            raise EvaluationError(
                f"{name}, line {number}: the id {question.id!r} stands in line {seen[question.id]} already.",
                "Give each question an id of its own, or none.",
            )
        seen[question.id] = number
        questions.append(question)
    if not questions:
        raise EvaluationError(f"{name} holds no question.", f"Write one a line, such as {EXAMPLE}.")
    return questions


def dump(questions: Iterable[Question]) -> str:
    """The questions as :func:`parse` reads them."""
    return "".join(json.dumps(question.as_dict(), ensure_ascii=False) + "\n" for question in questions)


def check(questions: Sequence[Question], name: str, known: Mapping[str, object], text_of: Callable[[str], str]) -> None:
    """Whether what the questions point at is there: ``known`` has the documents' names, ``text_of`` gives a text.

    Raises:
        EvaluationError: a document is unknown, or offsets point outside of it or at white space.
    """
    for question in questions:
        where = f"{name}, line {question.line}"
        for doc in (*(at.doc for at in question.evidence), *question.docs):
            if doc not in known:
                raise EvaluationError(
                    f"{where}: there is no document {doc!r}{_nearest(doc, known)}.",
                    "Write names as `python -m app documents` lists them, or choose another --collection or --corpus.",
                )
        for at in question.evidence:
            text = text_of(at.doc)
            if at.end > len(text):
                raise EvaluationError(
                    f"{where}: {at.doc} has {len(text):,} characters, and the evidence ends at {at.end:,}.",
                    "Count Unicode code points of the document's text as `search --json` shows it.",
                )
            start, end = trim(text, at.start, at.end)
            if start == end:
                raise EvaluationError(
                    f"{where}: the evidence at {at.start}–{at.end} of {at.doc} is white space.",
                    "Point at the words that answer the question.",
                )


def _nearest(doc: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    names = sorted(known)
    same = [name for name in names if name.rsplit("/", 1)[-1] == doc.rsplit("/", 1)[-1]]
    found = same[:1] or get_close_matches(doc, names[:5000], 1)
    return f"; there is {found[0]!r}" if found else ""


class _Line:
    """One line of a file of questions."""

    def __init__(self, line: str, name: str, number: int) -> None:
        self._where = f"{name}, line {number}"
        self._number = number
        try:
            self._data = json.loads(line)
        except (ValueError, RecursionError):
            raise self._error("is no JSON", f"Write one object a line, such as {EXAMPLE}.") from None
        try:
            line.encode()
            json.dumps(self._data, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise self._error("holds half a character", "Write it as text, not as half a \\u pair.") from None
        if not isinstance(self._data, dict):
            raise self._error("is no JSON object", f"Write one object a line, such as {EXAMPLE}.")

    def question(self) -> Question:
        """What it says."""
        data = self._data
        words = data.get("question")
        if not isinstance(words, str) or not words.strip():
            raise self._error("has no question", f"Write one, such as {EXAMPLE}.")
        if len(words) > LONGEST:
            raise self._error(f"has a question of {len(words):,} characters", f"Ask in {LONGEST:,} at most.")
        given = data.get("id")
        if given is not None and (isinstance(given, bool) or not isinstance(given, str | int)):
            raise self._error("has an id that is neither words nor a number", 'Write "id": "7", or leave it out.')
        answerable = data.get("answerable", True)
        if not isinstance(answerable, bool):
            raise self._error('has an "answerable" that is neither true nor false', "Write false, or leave it out.")
        question = Question(
            id=str(self._number) if given is None or given == "" else str(given),
            question=words.strip(),
            evidence=tuple(self._place(item) for item in self._list("evidence")),
            answers=self._words("answers"),
            docs=self._words("docs"),
            answerable=answerable,
            line=self._number,
        )
        if answerable and not (question.evidence or question.answers or question.docs):
            raise self._error(
                "says nothing of what answers the question",
                'Add "evidence", "answers" or "docs", or "answerable": false where the documents do not answer it.',
            )
        return question

    def _list(self, key: str) -> list[Any]:
        value = self._data.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._error(f'has "{key}" that is no list', f'Write "{key}": […].')
        return value

    def _words(self, key: str) -> tuple[str, ...]:
        words = self._list(key)
        if not all(isinstance(item, str) and item.strip() for item in words):
            raise self._error(f'has "{key}" with something else than words', f'Write "{key}": ["…"].')
        return tuple(words)

    def _place(self, item: object) -> Place:
        hint = 'Write "evidence": [{"doc": "…", "start": 0, "end": 90}].'
        if not isinstance(item, dict) or not isinstance(item.get("doc"), str):
            raise self._error("has evidence without a document", hint)
        start, end = item.get("start"), item.get("end")
        if not (isinstance(start, int) and isinstance(end, int)) or isinstance(start, bool) or isinstance(end, bool):
            raise self._error("has evidence without start and end", hint)
        if not 0 <= start < end:
            raise self._error(f"has evidence from {start} to {end}", "start is 0 or more, and end is after it.")
        return Place(item["doc"], start, end)

    def _error(self, what: str, hint: str) -> EvaluationError:
        return EvaluationError(f"{self._where} {what}.", hint)
