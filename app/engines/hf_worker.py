"""The thread that computes: readers give it their answers, it has them written until it is closed."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from app.engines.hf_answer import Answer
from app.errors import EngineError, EngineUnavailable

log = logging.getLogger(__name__)


class Writer(Protocol):
    """What writes answers, some or one at a time; used by one thread, but for ``answers``."""

    @property
    def answers(self) -> list[Answer]: ...
    @property
    def full(self) -> bool: ...
    def add(self, answer: Answer) -> None: ...
    def step(self) -> None: ...
    def fail(self, error: EngineError) -> None: ...


class Worker:
    """``explain`` makes an error of ours of whatever a step raises, and gives back what that left in memory."""

    def __init__(self, writer: Writer, explain: Callable[[Exception], EngineError]) -> None:
        self._writer = writer
        self._explain = explain
        self._waiting: deque[Answer] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="hf", daemon=True)
        self._thread.start()

    def begin(self, answer: Answer) -> None:
        """Have ``answer`` written; never waits. Raises EngineUnavailable once closed."""
        with self._changed:
            if self._closed:
                raise closed()
            self._waiting.append(answer)
            self._changed.notify()

    def close(self) -> None:
        """Every answer breaks off at once; returns when the step under way is over."""
        with self._changed:
            self._closed = True
            answers = [*self._waiting, *self._writer.answers]
            self._waiting.clear()
            self._changed.notify()
        for answer in answers:
            answer.fail(closed())
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._next():
                try:
                    self._writer.step()
                except Exception as error:
                    log.debug("a step failed", exc_info=error)
                    self._writer.fail(self._explain(error))
        finally:  # nobody waits for a thread that is gone
            with self._changed:
                self._closed = True
                answers = [*self._waiting, *self._writer.answers]
            for answer in answers:
                answer.fail(closed())

    def _next(self) -> bool:
        """Waits for something to write; whether there is."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting or self._writer.answers)
            while self._waiting and not self._writer.full:
                self._writer.add(self._waiting.popleft())
            return not self._closed


def closed() -> EngineUnavailable:
    """What a reader is told whose engine was closed."""
    return EngineUnavailable("The model was closed.", "Ask again.")
