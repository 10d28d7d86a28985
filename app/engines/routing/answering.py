"""One question on its way through the routes, until its answer is whole or nobody is left to give it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from app.engines.routing import learning, resume
from app.engines.routing.exchange import Part, Patience
from app.engines.routing.faults import Blame, Fault, Faults
from app.engines.routing.hedging import SLOW, raced
from app.engines.routing.itinerary import Itinerary
from app.engines.routing.live import LiveRoute
from app.engines.routing.requests import Question
from app.engines.routing.resume import Attempt, Said
from app.engines.routing.seams import Diverged
from app.engines.routing.stream import Stream
from app.engines.routing.verdict import verdict
from app.schema import ANSWERED, RouteTry

if TYPE_CHECKING:
    from app.engines.routing.router import Router

T = TypeVar("T")
RESUMES = 20
"""How often one answer may go on elsewhere."""
WONDERING, WONDER_AGAIN = 2.0, 60.0
"""Seconds for finding out, in the middle of an answer, how a server can go on with it, and until that is tried anew."""
READING = 600
"""Characters of a prompt that even a slow server reads in a second."""


@dataclass(frozen=True)
class End:
    """How it ended: ``reason`` (``stop``, ``length``) or None where it broke off, and who was asked for it."""

    reason: str | None
    usage: tuple[int, int] | None
    model: str
    routes: tuple[RouteTry, ...]


class Answering:
    """Use :meth:`run` once, on the engines' loop."""

    def __init__(self, router: Router, question: Question) -> None:
        self._router = router
        self._question = question
        self._said = Said()
        self._relearned: set[LiveRoute] = set()
        self._resumes = 0
        self._asked: LiveRoute | None = None
        self._attempt = Attempt("", {})
        self._clock = asyncio.get_running_loop().time
        total = router.llm.deadlines.total
        self._end = None if total is None else self._clock() + total
        self._way = Itinerary(router, question.key, self._can, self._end)

    async def run(self) -> AsyncGenerator[str | Part | End]:
        """New text, other parts (calls of tools), and at last the End, where it broke off too.

        Raises:
            EngineError: no answer; IncompleteAnswer where a part of it has come.
        """
        self._router.retries.question()
        self._router.hedges.question()
        same: LiveRoute | None = None
        while (live := same or await self._way.next()) is not None:
            self._asked, same = live, None
            before = len(self._said.text)
            try:
                async with aclosing(self._ask(live)) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            except Fault as fault:
                live = self._asked
                if learning.corrected(live, self._attempt, fault):
                    same = live
                    continue
                if fault.status == 404:
                    fault, changed = await self._explained(live, fault)
                    if changed and live not in self._relearned:
                        self._relearned.add(live)
                        same = live
                        continue
                if len(self._said.text) > before:
                    self._way.progressed()
                    self._resumes += 1
                self._way.note(live, fault)
                if self._is_final(fault):
                    break
        yield End(None, None, self._said.model, tuple(self._way.tries))
        raise verdict(self._said.text, self._said.model, self._way.faults)

    def _is_final(self, fault: Fault) -> bool:
        """Whether nobody else needs to be asked."""
        if self._said.text:
            return self._resumes > RESUMES or self._over
        return fault.blame is Blame.ASKER or self._over

    @property
    def _over(self) -> bool:
        return self._end is not None and self._clock() >= self._end

    def _can(self, live: LiveRoute) -> bool:
        return not self._said.text or resume.may_continue(self._question, self._said, live)

    def _patience(self, live: LiveRoute) -> Patience:
        """Where somebody else could answer, nobody waits for long; longer, when everybody was asked already."""
        limits, longest = self._router.llm.deadlines, live.route.timeout
        if not self._way.others(live):
            return Patience(limits.connect, longest, longest, self._end)
        reading = sum(len(str(message.get("content"))) for message in self._question.messages) / READING
        more = 2.0**self._way.rounds
        first = min(longest, more * max(limits.first_token, 5 * (live.ttft.value or 0.0), reading))
        stall = min(longest, more * max(limits.stall, 50 * (live.gap.value or 0.0)))
        return Patience(limits.connect, first, stall, self._end, short=max(first, stall) < longest)

    # what it says

    async def _ask(self, live: LiveRoute) -> AsyncGenerator[str | Part | End]:
        """One route's part of the answer, perhaps all of it. Raises Fault."""
        if not live.model:
            await self._within(learning.learn(live), live)
        if self._said.text:
            if self._said.tokens is not None and self._said.tokens == self._question.max_tokens:
                yield self._ended(live, "length", None)  # only the end mark is missing
                return
            stream = await self._continued(live)
        else:
            stream = await self._begun(live)
        attempt = self._attempt = stream.attempt
        try:
            async with aclosing(stream.rest()) as parts:
                async for part in parts:
                    try:
                        text = attempt.seam.feed(part.text)
                        if part.reason is not None or part.calls:
                            attempt.seam.end()
                    except Diverged:
                        raise Faults(stream.live.route, stream.live.model).cannot_continue() from None
                    if attempt.seam.passed and (part.text or part.calls):
                        self._take(stream, text)
                    if part.calls:
                        self._said.calls = True
                        yield part
                    if text:
                        yield text
                    if part.reason is not None:
                        self._router.succeeded(stream.live, stream.began)
                        yield self._ended(stream.live, part.reason, part.usage)
        finally:
            await stream.close()

    async def _within(self, work: Awaitable[T], live: LiveRoute) -> T:
        """``work``, unless the time for the whole answer is over before. Raises Fault."""
        try:
            async with asyncio.timeout_at(self._end) as timer:
                return await work
        except TimeoutError:
            if not timer.expired():
                raise
            raise Faults(live.route, live.model).over() from None

    async def _explained(self, live: LiveRoute, fault: Fault) -> tuple[Fault, bool]:
        try:
            return await self._within(learning.explained(live, fault), live)
        except Fault as over:
            return over, False

    async def _begun(self, live: LiveRoute) -> Stream:
        self._attempt = resume.first(self._question, live)
        stream = Stream(live, self._attempt, self._patience(live))
        if not self._router.llm.hedge:
            return await self._opened(stream)
        winner, fault = await raced(stream, lambda: self._second(live), self._lost)
        self._asked, self._attempt = winner.live, winner.attempt
        if fault is not None:
            raise fault
        return winner

    async def _continued(self, live: LiveRoute) -> Stream:
        unknown = live.resumes is None and live.now() - live.wondered_at > WONDER_AGAIN
        if unknown and not resume.by_tokens(self._question, self._said, live):
            await self._within(learning.try_resume(live, WONDERING), live)
        attempt = resume.continuation(self._question, self._said, live)
        if attempt is None:
            raise Faults(live.route, live.model).cannot_continue()
        self._attempt = attempt
        return await self._opened(Stream(live, attempt, self._patience(live)))

    @staticmethod
    async def _opened(stream: Stream) -> Stream:
        try:
            await stream.first()
        except BaseException:
            await stream.close()
            raise
        return stream

    def _second(self, live: LiveRoute) -> Stream | None:
        """The route to ask beside ``live``, where there is one with room and the budget allows it."""
        other = self._router.choose({*self._way.tried, live}, self._question.key, self._can, peek=True)
        roomy = other is not None and other.model and not other.health.busy and other.in_flight <= live.in_flight
        if other is None or not roomy or not self._router.hedges.spend():
            return None
        return Stream(other, resume.first(self._question, other), self._patience(other))

    def _lost(self, stream: Stream, fault: Fault | None) -> None:
        """One of two that were asked for the first token failed, or was the slower one."""
        live = stream.live
        if fault is not None:
            self._way.note(live, fault)
            return
        usual = live.ttft.value
        if usual is not None and stream.seconds > SLOW * usual:
            self._router.slow(live)
        self._way.log(live, "another one was faster")

    def _take(self, stream: Stream, text: str) -> None:
        said, attempt = self._said, stream.attempt
        if not said.model:
            said.model, said.window = stream.live.model, stream.live.window
        said.text += text
        said.trail = attempt.trail
        said.tokens = attempt.tokens
        if attempt.trail.prompt is not None and said.prompt_tokens is None and not attempt.how:
            said.prompt_tokens = len(attempt.trail.prompt)

    def _ended(self, live: LiveRoute, reason: str, usage: tuple[int, int] | None) -> End:
        self._way.log(live, ANSWERED)
        return End(reason, self._usage(usage), live.model, tuple(self._way.tries))

    def _usage(self, last: tuple[int, int] | None) -> tuple[int, int] | None:
        """Tokens of the prompt and of the whole answer; None where a part of it was not counted."""
        before, prompt = self._attempt.before, self._said.prompt_tokens
        if before == 0 or last is None:
            return last
        return None if before is None or prompt is None else (prompt, before + last[1])
