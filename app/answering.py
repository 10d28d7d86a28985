"""Answers for everybody: who is let in, who writes, and who is told of the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from app.admission import Admission
from app.config import Settings
from app.engines.registry import check_name
from app.engines.switch import EngineSwitch
from app.errors import EngineError
from app.schema import Answer

if TYPE_CHECKING:
    from app.conversation.request import Wishes
    from app.conversation.response import Response
    from app.conversation.turns import Turn
    from app.knowledge.library import Knowledge

OnEnd = Callable[[Answer, Exception | None, bool], None]
"""Told of an answer that has ended, why it failed or broke off, and whether its reader left before the end."""


class Answering:
    """The one line in which the page, the command line and other programs stand."""

    def __init__(self, settings: Settings, switch: EngineSwitch, knowledge: Knowledge, on_end: OnEnd) -> None:
        self.admission = Admission(settings.max_concurrent_tasks, settings.max_queued_tasks)
        self._switch = switch
        self._knowledge = knowledge
        self._on_end = on_end

    def ask(
        self,
        question: str,
        *,
        history: Iterable[Turn] = (),
        engine: str | None = None,
        collection: str | None = None,
        documents: bool = True,
        conversation: str = "",
        wishes: Wishes | None = None,
    ) -> Response:
        """As :meth:`app.service.Service.ask`."""
        from app.conversation.request import Request, Wishes
        from app.conversation.response import Response
        from app.conversation.turns import check_question, turns
        from app.fallback import WriterLine

        if engine is not None:
            self._switch.choice(engine)
        line = WriterLine(self._switch, engine)
        request = Request(
            question=check_question(question),
            history=turns(history),
            retriever=(lambda: self._knowledge.retriever(collection)) if documents else None,
            writer=line.first,
            fallback=line.after,
            conversation=conversation,
            wishes=wishes or Wishes(),
            turn=self.admission.enter,
            on_end=self._on_end,
        )
        return Response(request)

    def ask_both(
        self,
        question: str,
        engines: tuple[str, str],
        *,
        history: Iterable[Turn] = (),
        collection: str | None = None,
        documents: bool = True,
        conversation: str = "",
    ) -> tuple[Response, Response]:
        """Two answers to compare: nobody stands in for an engine, and both read the passages of one search.

        A follow-up is folded in by rule: neither engine's rewriting then decides what the other one is given.

        Raises:
            ConfigError: there is no engine of that name.
            QuestionError: the question is empty or far too long.
        """
        from app.conversation.followup import fold_in
        from app.conversation.request import Request
        from app.conversation.response import Response
        from app.conversation.shared_search import SharedSearch
        from app.conversation.turns import check_question, turns
        from app.fallback import WriterLine

        text, said = check_question(question), turns(history)
        search = SharedSearch(lambda: self._knowledge.retriever(collection))

        def asked(engine: str) -> Response:
            line = WriterLine(self._switch, check_name(engine, auto=False))
            request = Request(
                question=text,
                history=said,
                retriever=(lambda: search) if documents else None,
                writer=line.only,
                conversation=conversation,
                query=fold_in(text, said),
                turn=self.admission.enter,
                on_end=self._on_end,
            )
            return Response(request)

        return asked(engines[0]), asked(engines[1])

    @contextmanager
    def loaded(self, engines: Iterable[str]) -> Iterator[list[EngineError | None]]:
        """Loads engines one after the other and keeps them open; for each in turn, why it cannot answer."""
        from app.fallback import WriterLine

        with ExitStack() as held:
            errors: list[EngineError | None] = []
            for engine in engines:
                try:
                    held.callback(WriterLine(self._switch, engine).only().release)
                    errors.append(None)
                except EngineError as error:
                    errors.append(error)
            yield errors

    def close(self, patience: float) -> None:
        """Let the answers in flight end, for so many seconds at most; nobody new is let in."""
        self.admission.close(patience)
