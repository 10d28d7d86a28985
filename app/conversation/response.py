"""What the asker of a question holds: its text while it comes, and all about it afterwards."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator

from app.conversation.request import Request
from app.conversation.writing import Writing
from app.errors import EngineError
from app.schema import Answer, Citation, Passage, Timings


class Response:
    """An answer as it is written. Nothing is done before someone iterates (or waits).

    Iterating, plainly or with ``async for``, gives the text in pieces. A second time, it repeats what was
    said. Who stops iterating early stops the answer: the engine's request is closed and ``complete`` stays
    false.

    It may be iterated in another thread than it was made in, and by several at a time; ``close`` may be
    called from any thread. What an event loop reads can be read without one once it has ended.

    Iterating raises EngineError when the engine gave no word, TooBusy where there is no place in the line. One that
    fails later leaves its text, with ``complete`` false and the reason in ``error``.
    """

    def __init__(self, request: Request) -> None:
        self._work = Writing(request)
        self._pieces: list[str] = []
        self._source: Generator[str] | None = None
        self._asource: AsyncGenerator[str] | None = None
        self._turn = threading.Lock()  # held while the engine is waited for
        self._aturn = asyncio.Lock()
        self._state = threading.RLock()  # never held while anything is waited for
        self._stopped = False
        self._failed: Exception | None = None
        self._final: Answer | None = None

    def __iter__(self) -> Generator[str]:
        at = 0
        while self._reach(at):
            try:
                yield self._pieces[at]
            except BaseException:  # the reader leaves
                self.close()
                raise
            at += 1

    async def __aiter__(self) -> AsyncGenerator[str]:
        at = 0
        while await self._areach(at):
            try:
                yield self._pieces[at]
            except BaseException:
                await self.aclose()
                raise
            at += 1

    def wait(self) -> Answer:
        """Runs it to its end. Raises what iterating raises."""
        for _ in self:
            pass
        return self.answer

    async def wait_async(self) -> Answer:
        """:meth:`wait` for an event loop."""
        async for _ in self:
            pass
        return self.answer

    def close(self) -> None:
        """Stops the answer where it is; one that has ended stays as it is.

        A thread that waits for the engine's next word ends its request with that word, unseen.
        """
        self._stop()
        if self._source is not None and self._turn.acquire(blocking=False):
            try:
                self._source.close()
            finally:
                self._turn.release()

    async def aclose(self) -> None:
        """:meth:`close` for an event loop."""
        self._stop()
        if self._asource is not None and not self._aturn.locked():
            async with self._aturn:
                await self._asource.aclose()

    @property
    def answer(self) -> Answer:
        """All about it; before its end, as far as it has come and with ``complete`` false."""
        return self._final or self._work.answer("".join(self._pieces), done=False)

    @property
    def passages(self) -> tuple[Passage, ...]:
        """What the answer is written from, known before its first word; marker [1] is the first of them."""
        return self._work.passages

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Final once iteration has ended."""
        return self.answer.citations

    @property
    def complete(self) -> bool:
        """Whether the answer came to its own end."""
        return self.answer.complete

    @property
    def refused(self) -> bool:
        """Whether the documents do not hold the answer."""
        return self.answer.refused

    @property
    def timings(self) -> Timings:
        """Milliseconds since iteration began; ``ttft_ms`` is None for a refusal and before the first word."""
        return self.answer.timings

    @property
    def query(self) -> str:
        """The question as it was searched, history folded in."""
        return self._work.query

    @property
    def place(self) -> int:
        """In the line of those who wait for their turn; 0 once it has come, and where there is no line."""
        return self._work.place

    @property
    def error(self) -> EngineError | None:
        """Why an answer that began did not come to its end."""
        return self._work.error

    def _stop(self) -> None:
        with self._state:
            self._stopped = self._stopped or self._final is None
            self._finish(done=False)
        self._work.give_up()

    def _finish(self, done: bool) -> None:
        with self._state:
            if self._final is None:
                self._final = self._work.answer("".join(self._pieces), done)
                self._work.told(self._final, self._failed, self._stopped)

    def _reach(self, at: int) -> bool:
        """Whether there is a piece number ``at``; works on until there is one or the answer has ended."""
        with self._turn:
            if at < len(self._pieces):
                return True
            if self._final is None:
                if self._asource is not None:
                    raise RuntimeError("This response is being read by an event loop.")
                source = self._source = self._source or self._work.run()
                try:
                    self._take(next(source))
                except StopIteration:
                    self._finish(done=True)
                except BaseException as error:
                    self._fail(error)
                    raise
                if self._stopped:
                    source.close()
            return self._has(at)

    async def _areach(self, at: int) -> bool:
        async with self._aturn:
            if at < len(self._pieces):
                return True
            if self._final is None:
                if self._source is not None:
                    raise RuntimeError("This response is being read by a thread.")
                source = self._asource = self._asource or self._work.arun()
                try:
                    self._take(await anext(source))
                except StopAsyncIteration:
                    self._finish(done=True)
                except BaseException as error:
                    self._fail(error)
                    raise
                if self._stopped:
                    await source.aclose()
            return self._has(at)

    def _take(self, piece: str) -> None:
        with self._state:
            if not self._stopped:
                self._pieces.append(piece)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            self._failed = error
        else:  # cancelled: the reader has left
            self._stopped = True
        self._finish(done=False)

    def _has(self, at: int) -> bool:
        if at < len(self._pieces):
            return True
        if self._failed is not None:
            raise self._failed
        return False
