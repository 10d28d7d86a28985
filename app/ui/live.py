"""Answers being written, one question of each conversation at most.

They belong to the process, not to a tab: a page that is reloaded, or that the reader comes back to, finds its answer
still growing, and one that nobody watches any more is saved all the same.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from app.errors import HotswapError
from app.schema import Answer, Message

if TYPE_CHECKING:
    from app.conversation.response import Response
    from app.service import Service
    from app.ui.ab_live import LiveDuel

Live: TypeAlias = "LiveAnswer | LiveDuel"
"""What is being written for a question: one answer, or two."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """What to answer, and how: ``engine`` None is the live one."""

    text: str
    history: Sequence[Message] = ()
    engine: str | None = None
    collection: str | None = None
    documents: bool = True


class LiveAnswer:
    """An answer being written in a thread of its own; safe to read and to stop from any other.

    ``ask`` gives the answer, perhaps after a while; ``keep`` is given it once it has ended, and may raise HotswapError.
    """

    def __init__(self, question: Question, ask: Callable[[], Response], keep: Callable[[Answer], None]) -> None:
        self.question = question
        self.error: HotswapError | None = None  # why there is no answer, or why it broke off
        self.unexpected: Exception | None = None
        self.answered = False  # whether an answer was saved
        self._ask = ask
        self._keep = keep
        self._response: Response | None = None
        self._pieces: list[str] = []
        self._began = time.monotonic()
        self._stopped = False
        self._lock = threading.RLock()
        self._ended = threading.Event()
        threading.Thread(target=self._write, name="answer", daemon=True).start()

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return not self._ended.is_set()

    @property
    def errors(self) -> tuple[Exception, ...]:
        """Why there is no answer, or why it broke off."""
        error = self.error or self.unexpected
        return (error,) if error else ()

    @property
    def text(self) -> str:
        """What has been said so far."""
        return "".join(self._pieces)

    @property
    def seconds(self) -> float:
        """Time since the question."""
        return time.monotonic() - self._began

    @property
    def query(self) -> str:
        """The question as it is searched, once it is known."""
        return self._response.query if self._response else self.question.text

    @property
    def place(self) -> int:
        """In the line of those who wait for their turn; 0 once it has come."""
        return self._response.place if self._response else 0

    @property
    def passages(self) -> int:
        """How many passages were found so far."""
        return len(self._response.passages) if self._response else 0

    def wait(self) -> None:
        """Until its end."""
        self._ended.wait()

    def ticks(self, seconds: float = 0.1) -> Iterator[None]:
        """Comes round every ``seconds`` until the end."""
        while self.running:
            yield
            self._ended.wait(seconds)

    def stop(self) -> None:
        """End it here and keep what was said; an engine that is silent is not waited for."""
        with self._lock:
            self._stopped = True
            response = self._response
            if response is not None:
                response.close()
                self._save(response.answer)
            elif self.running:
                self._save(Answer("", "", "", complete=False, refused=False, query=self.question.text))

    def _write(self) -> None:
        try:
            response = self._asked()
            if response is None:
                return
            for piece in response:
                self._pieces.append(piece)
            self.error = response.error
            self._save(response.answer)
        except HotswapError as error:
            self.error = error
        except Exception as error:  # the page shows one line, the log has the rest
            log.exception("answering failed")
            self.unexpected = error
        finally:
            self._ended.set()

    def _asked(self) -> Response | None:
        response = self._ask()
        with self._lock:
            self._response = response
            return None if self._stopped else response

    def _save(self, answer: Answer) -> None:
        """Once, whoever comes first: the end of the answer or the reader who stops it."""
        with self._lock:
            if self._ended.is_set():
                return
            try:
                self._keep(answer)
                self.answered = True
            except HotswapError as error:  # such as a conversation that was deleted meanwhile
                self.error = self.error or error
            finally:
                self._ended.set()


class LiveAnswers:
    """The latest answer of each conversation that had one since the server started."""

    def __init__(self) -> None:
        self._of: dict[str, Live] = {}
        self._lock = threading.Lock()

    def start(self, service: Service, conversation: str, question: Question) -> Live:
        """Begin to answer; where an answer is still being written, that one goes on instead."""
        ask = partial(
            service.ask,
            question.text,
            history=question.history,
            engine=question.engine,
            collection=question.collection,
            documents=question.documents,
            conversation=conversation,
        )
        return self.begin(
            conversation, lambda: LiveAnswer(question, ask, partial(service.history.append_answer, conversation))
        )

    def begin(self, conversation: str, make: Callable[[], Live]) -> Live:
        """The same for whatever ``make`` begins."""
        with self._lock:
            current = self._of.get(conversation)
            if current is None or not current.running:
                current = self._of[conversation] = make()
            return current

    def of(self, conversation: str) -> Live | None:
        """The answer being written there, or the last one that ended."""
        with self._lock:
            return self._of.get(conversation)

    def forget(self, conversation: str) -> None:
        """Stop and drop what belongs to a conversation."""
        with self._lock:
            live = self._of.pop(conversation, None)
        if live is not None and live.running:
            live.stop()


ANSWERS = LiveAnswers()
"""Those of this process."""
