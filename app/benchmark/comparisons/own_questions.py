"""The user's own questions as prompts: with their passages, word for word as the product puts them to an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.benchmark.prompts import Prompt
from app.conversation.prompts import messages
from app.conversation.thinking import ThinkFilter
from app.conversation.turns import check_question, language_of
from app.conversation.within import within
from app.errors import ContextTooLong
from app.schema import Message, OnProgress, Passage, Progress
from app.small_talk import is_small_talk

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

Find = Callable[[str], Sequence[Passage]]
"""The passages for a question; none where the documents do not hold the answer."""


@dataclass(frozen=True)
class _Found:
    question: str
    passages: tuple[Passage, ...]


class OwnQuestions:
    """``prompts`` are those that an engine would be asked; ``refused`` and ``too_long`` are how many would not be.

    Every prompt is cut to ``window`` tokens, the smallest one of all engines, so that all of them read the same.
    """

    def __init__(self, questions: Sequence[str], find: Find, window: int, on_progress: OnProgress) -> None:
        """Searches for each question. Raises QuestionError for one that cannot be asked, and what ``find`` raises."""
        self._window = window
        self._found: dict[str, _Found] = {}
        self.prompts: list[Prompt] = []
        self.refused = self.too_long = 0
        for number, text in enumerate(questions, 1):
            on_progress(Progress("searching", number - 1, len(questions), str(number)))
            question = check_question(text)
            passages = () if is_small_talk(question) else tuple(find(question))
            if not passages:
                self.refused += 1
                continue
            found = _Found(question, passages)
            try:
                asked = self._asked(found, ())
            except ContextTooLong:
                self.too_long += 1
                continue
            self._found[str(number)] = found
            self.prompts.append(Prompt(str(number), asked))

    def follow(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> tuple[Mapping[str, str], ...]:
        """The last of ``prompts`` in a conversation in which the others got ``answers``."""
        history: list[Message] = []
        for prompt, answer in zip(prompts, answers, strict=False):
            history += [Message("user", self._found[prompt.id].question), Message("assistant", _visible(answer))]
        return self._asked(self._found[prompts[-1].id], history)

    def _asked(self, found: _Found, history: Sequence[Message]) -> tuple[Mapping[str, str], ...]:
        language = language_of(found.question, tuple(history))
        passages, turns = next(within(self._window, found.question, found.passages, history, language))
        return _plain(messages(found.question, found.question, passages, turns, language))


def _visible(answer: str) -> str:
    """What the reader would have seen: without the model's thoughts."""
    seen = ThinkFilter()
    return seen.feed(answer) + seen.finish()


def _plain(said: Sequence[BaseMessage]) -> tuple[Mapping[str, str], ...]:
    from app.engines.local_chat import turns

    return tuple(turns(said))
