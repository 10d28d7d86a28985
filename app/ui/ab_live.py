"""A duel being written: two engines answer one question at once, and both answers are saved as one message."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Literal

from app.conversation.duel import Duel, Problem, Side
from app.errors import EngineError, HotswapError
from app.schema import Answer
from app.ui.live import LiveAnswer, Question

if TYPE_CHECKING:
    from app.conversation.response import Response
    from app.service import Service

log = logging.getLogger(__name__)
_UNEXPECTED = HotswapError("Something unexpected went wrong.", "The server's log has the details.")


class LiveDuel:
    """``sides`` are A and B, each an answer that grows in a thread of its own, once both engines are loaded.

    Where only one answer may be written at a time, B is written after A.
    """

    def __init__(
        self, service: Service, conversation: str, question: Question, engines: tuple[str, str], *, blind: bool
    ) -> None:
        self.engines = engines
        self.blind = blind
        self.answered = False  # whether something was saved
        self._service = service
        self._conversation = conversation
        self._question = question
        self._one_at_a_time = service.settings.max_concurrent_tasks == 1
        self._ready: Future[tuple[tuple[Response, Response], list[EngineError | None]]] = Future()
        self._kept: dict[int, Answer] = {}
        self._error: HotswapError | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self.sides = (self._side(0), self._side(1))
        threading.Thread(target=self._write, name="duel", daemon=True).start()

    def _side(self, number: int) -> LiveAnswer:
        return LiveAnswer(self._question, partial(self._ask, number), partial(self._kept.__setitem__, number))

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return not self._ended.is_set()

    @property
    def errors(self) -> tuple[Exception, ...]:
        """Why nothing was saved; what went wrong with one side alone is saved with it."""
        if self.answered:
            return ()
        found = [*([self._error] if self._error else []), *(error for side in self.sides for error in side.errors)]
        return tuple({str(error): error for error in found}.values())

    def stage(self, number: int) -> Literal["loading", "after", "writing"]:
        """What goes on with a side: the engines come into memory, it is written after the other one, or now."""
        if not self._ready.done():
            return "loading"
        return "after" if number and self._one_at_a_time and self.sides[0].running else "writing"

    def ticks(self, seconds: float = 0.1) -> Iterator[None]:
        """Comes round every ``seconds`` until the end."""
        while self.running:
            yield
            self._ended.wait(seconds)

    def stop(self) -> None:
        """End both here and keep what was said; an engine that is silent is not waited for."""
        for side in reversed(self.sides):  # B first: it might begin once A has ended
            side.stop()
        self._save()

    def _ask(self, number: int) -> Response:
        responses, errors = self._ready.result()
        if error := errors[number]:
            raise error
        if number and self._one_at_a_time:
            self.sides[0].wait()
        return responses[number]

    def _write(self) -> None:
        try:
            asked = self._question
            responses = self._service.answering.ask_both(
                asked.text,
                self.engines,
                history=asked.history,
                collection=asked.collection,
                documents=asked.documents,
                conversation=self._conversation,
            )
            with self._service.answering.loaded(self.engines) as errors:
                self._ready.set_result((responses, errors))
                for side in self.sides:
                    side.wait()
        except Exception as error:  # each side tells it
            if self._ready.done():
                log.exception("a comparison failed")
            else:
                self._ready.set_exception(error)
        for side in self.sides:
            side.wait()
        self._save()

    def _save(self) -> None:
        """Once, whoever comes first: the end of the answers or the reader who stops them."""
        with self._lock:
            if self._ended.is_set():
                return
            try:
                self._append()
            except HotswapError as error:  # such as a conversation that was deleted meanwhile
                self._error = error
            finally:
                self._ended.set()

    def _append(self) -> None:
        kept = list(self._kept.values())
        if not kept:
            return
        if not any(answer.engine for answer in kept) and len(kept) == len(self.sides):
            # No engine was asked, as with what the documents do not hold: there is nothing to compare.
            self._service.history.append_answer(self._conversation, kept[0])
        else:
            sides = self._saved(0), self._saved(1)
            self._service.history.append_duel(self._conversation, Duel(sides, self.blind))
        self.answered = True

    def _saved(self, number: int) -> Side:
        live, engine = self.sides[number], self.engines[number]
        nothing = Answer("", engine, "", complete=False, refused=False, query=self._question.text)
        answer = self._kept.get(number, nothing)
        error = live.error or (_UNEXPECTED if live.unexpected else None)
        if answer.finish_reason != "stop":  # it reached the length allowed, which is no failure
            error = None
        return Side(engine, answer, Problem.of(error) if error else None)
