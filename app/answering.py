"""Answers for everybody: who is let in, who writes, and who is told of the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from app.admission import Admission
from app.config import Settings
from app.engines.switch import EngineSwitch
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

    def close(self, patience: float) -> None:
        """Let the answers in flight end, for so many seconds at most; nobody new is let in."""
        self.admission.close(patience)
