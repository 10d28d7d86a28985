"""One answer in the making: the question folded in, passages found, an engine asked, its words taken."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, cast

from app.conversation import rewrite
from app.conversation.citations import cite
from app.conversation.context import Fitting
from app.conversation.passages import as_passages
from app.conversation.prompts import chat_messages, is_refusal, messages, refusal, small_talk
from app.conversation.request import Request, Turn, Writer
from app.conversation.tally import Tally
from app.conversation.thinking import ThinkFilter
from app.conversation.turns import language_of, questions
from app.conversation.within import within
from app.errors import (
    ContextTooLong,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    IncompleteAnswer,
    ModelMissing,
    OutOfMemory,
)
from app.schema import Answer, Passage
from app.small_talk import is_small_talk

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_core.messages import AIMessageChunk, BaseMessage
    from langchain_core.runnables import RunnableConfig

logger = logging.getLogger(__name__)

_GONE = (EngineUnavailable, ModelMissing, EngineTimeout, OutOfMemory)


class Writing:
    """The work on one answer. It knows nothing of who reads it, how often, or from which thread."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._language = language_of(request.question, request.history)
        self._turn: Turn | None = None
        self._given_up = False
        self._writer: Writer | None = None
        self._ended = False
        self._handover = threading.Lock()
        self._fits: Iterator[Fitting] = iter(())  # what the writer is still to try
        self._fitting: Fitting | None = None
        self._filter = ThinkFilter()
        self._tally = Tally()
        named = {"conversation_id": request.conversation} if request.conversation else {}
        self._config: RunnableConfig = {"metadata": named}
        self._retrieved: tuple[Passage, ...] = ()
        self.query = request.question
        self.passages: tuple[Passage, ...] = ()
        self.refused = False
        self.error: EngineError | None = None

    def run(self) -> Generator[str]:
        """The pieces of the answer's text."""
        try:
            turn = self._line_up()
            if turn is None or turn.wait():
                self._tally.turn()
                yield from self._pieces()
        finally:
            self._let_go()

    async def arun(self) -> AsyncGenerator[str]:
        """:meth:`run` for an event loop; what would block it is done in a thread."""
        try:
            turn = self._line_up()
            if turn is None or await turn.wait_async():
                self._tally.turn()
                async with aclosing(self._apieces()) as pieces:
                    async for piece in pieces:
                        yield piece
        finally:
            self._let_go()

    @property
    def place(self) -> int:
        """In the line of those who wait for their turn; 0 outside it."""
        return self._turn.place if self._turn and not self._ended else 0

    def give_up(self) -> None:
        """The reader leaves; who still waits for their turn waits no longer."""
        with self._handover:
            self._given_up, turn = True, self._turn
        if turn:
            turn.give_up()

    def _line_up(self) -> Turn | None:
        self._tally.begin()
        if self._request.turn is None:
            return None
        turn = self._request.turn()
        with self._handover:
            self._turn, given_up = turn, self._given_up
        if given_up:
            turn.give_up()
        return turn

    def _pieces(self) -> Generator[str]:
        if self._request.retriever is not None:
            if is_small_talk(self._request.question):
                self.refused = True
                yield small_talk(self._language)
                return
            self.query = self._rewritten()
            if told := self._found(self._request.retriever().invoke(self.query)):
                yield told
                return
        while True:
            try:
                llm, wishes = self._current().llm, self._request.wishes.keywords()
                stream = cast("Generator[AIMessageChunk]", llm.stream(self._prompt(), self._config, **wishes))
                with closing(stream):
                    for chunk in stream:
                        if text := self._visible(chunk):
                            yield text
                if text := self._end():
                    yield text
                return
            except EngineError as error:
                if not self._goes_on(error):
                    return

    async def _apieces(self) -> AsyncGenerator[str]:
        if self._request.retriever is not None:
            if is_small_talk(self._request.question):
                self.refused = True
                yield small_talk(self._language)
                return
            self.query = await self._arewritten()
            retriever = await asyncio.to_thread(self._request.retriever)
            if told := self._found(await retriever.ainvoke(self.query)):
                yield told
                return
        while True:
            try:
                writer = await asyncio.to_thread(self._current)
                llm, wishes = writer.llm, self._request.wishes.keywords()
                stream = cast("AsyncGenerator[AIMessageChunk]", llm.astream(self._prompt(), self._config, **wishes))
                async with aclosing(stream):
                    async for chunk in stream:
                        if text := self._visible(chunk):
                            yield text
                if text := self._end():
                    yield text
                return
            except EngineError as error:
                if not await asyncio.to_thread(self._goes_on, error):
                    return

    def answer(self, text: str, done: bool) -> Answer:
        """The answer as it is with ``text`` said; ``done`` when its source is exhausted."""
        refused = self.refused or is_refusal(text)
        writer, tally = self._writer, self._tally
        return Answer(
            answer=text,
            engine=writer.engine if writer else self._request.engine,
            model=tally.routed_model or (writer.model if writer else self._request.model),
            complete=done and self.error is None and not tally.cut_off and not self._given_up,
            refused=refused,
            query=self.query,
            citations=() if refused else cite(text, self.passages),
            timings=tally.timings(refused),
            routes=tally.routes,
            usage=tally.usage,
            finish_reason=tally.finish_reason,
        )

    def told(self, answer: Answer, failed: Exception | None, left: bool) -> None:
        """The answer has ended; whoever wanted to know is told."""
        self._request.on_end(answer, failed or self.error, left)

    def _rewritten(self) -> str:
        question, history = self._request.question, self._request.history
        if self._request.query or not questions(history, 1):
            return self._request.query or question
        try:
            return rewrite.rewritten(question, history, self._current().llm)
        except Exception as error:  # without a rewrite the question is searched by rule; the answer does not end
            return self._rewritten_by_rule(error)

    async def _arewritten(self) -> str:
        question, history = self._request.question, self._request.history
        if self._request.query or not questions(history, 1):
            return self._request.query or question
        try:
            writer = await asyncio.to_thread(self._current)
            return await rewrite.arewritten(question, history, writer.llm)
        except Exception as error:  # as in _rewritten
            return await asyncio.to_thread(self._rewritten_by_rule, error)

    def _rewritten_by_rule(self, error: Exception) -> str:
        if isinstance(error, _GONE) and self._request.fallback and (following := self._request.fallback(error)):
            self._take(following)  # asked for the answer, the one before would keep the reader waiting once more
        return rewrite.by_rule(error, self._request.question, self._request.history)

    def _found(self, documents: list[Document]) -> str:
        """Takes the retrieved passages; the refusal when there are none."""
        self._tally.searched()
        self._retrieved = self.passages = as_passages(documents)
        self.refused = not self.passages
        return refusal(self._language) if self.refused else ""

    def _current(self) -> Writer:
        return self._writer or self._take(self._request.writer())

    def _take(self, writer: Writer) -> Writer:
        """``writer`` writes from now on. It may come, from a thread, after its reader has left."""
        with self._handover:
            before, self._writer, ended = self._writer, writer, self._ended
        if before:
            before.release()
        if ended:
            writer.release()
        self._filter, self._fitting = ThinkFilter(), None
        self._tally.new_writer()
        return writer

    def _let_go(self) -> None:
        with self._handover:
            self._ended, writer, turn = True, self._writer, self._turn
        if writer:
            writer.release()
        if turn:
            turn.leave()

    def _prompt(self) -> list[BaseMessage]:
        """The prompt within the writer's window; ``passages`` is what is in it."""
        question, wishes = self._request.question, self._request.wishes.instructions
        if self._fitting is None:
            request, window = self._request, self._current().context_window
            documents = request.retriever is not None
            self._fits = within(
                window, question, self._retrieved, request.history, self._language, documents=documents, wishes=wishes
            )
            self._fitting = next(self._fits)
        self.passages, history = self._fitting
        if self._request.retriever is None:
            return chat_messages(question, history, self._language, wishes)
        return messages(question, self.query, self.passages, history, self._language, wishes)

    def _visible(self, chunk: AIMessageChunk) -> str:
        self._tally.take(chunk)
        return self._say(self._filter.feed(str(chunk.text)))

    def _say(self, text: str) -> str:
        if text:
            self._tally.spoke()
        return text

    def _end(self) -> str:
        text = self._say(self._filter.finish())
        if not self._tally.spoken:
            raise IncompleteAnswer(
                "The model ended without a word of an answer.",
                "Ask again, raise llm.params.max_tokens, or choose another engine or model.",
            )
        if self._tally.cut_off:
            self.error = IncompleteAnswer(*self._tally.cut_off)
        return text

    def _goes_on(self, error: EngineError) -> bool:
        """Whether there is another try: a shorter prompt, or another writer.

        What has been said stays; an error before it is the reader's.
        """
        if self._tally.spoken:
            logger.warning("the answer broke off: %s", error)
            self.error = error
            return False
        if isinstance(error, ContextTooLong) and (shorter := next(self._fits, None)):
            logger.info("a shorter prompt is tried: %s", error)
            self._fitting = shorter
            return True
        following = self._request.fallback(error) if self._request.fallback else None
        if following is None:
            raise error
        logger.warning("%s takes over: %s", following.engine or "another engine", error)
        self._take(following)
        return True
