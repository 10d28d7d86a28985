"""Asking one prompt after another of a target, and noting what came of each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from app.benchmark.loading.clock import Clock
from app.benchmark.loading.judging import Verdict, judge
from app.benchmark.prompts import Length, Prompt
from app.benchmark.sample import Sample
from app.benchmark.target import Hearing, Target, TargetFault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OnSample = Callable[[Sample, str], None]
"""Told of each request that has ended, and of the text that came. May raise to end the run."""
OnSent = Callable[[float, int], None]
"""Told of each request that is sent: when, and how many are under way with it."""
log = logging.getLogger(__name__)

PATIENCE = 120.0
"""Seconds without a token after which an answer is given up."""
_DIGITS = 6  # microseconds: what reports keep
_LOOKS = 0.25  # seconds between two looks at who is silent: a timer for each token would cost more than the token


class Asker:
    """The requests of one run. ``on_sent`` is told when one is sent, and how many are under way then."""

    def __init__(
        self,
        target: Target,
        length: Length,
        clock: Clock,
        on_sample: OnSample,
        *,
        on_sent: OnSent = lambda now, under_way: None,
        patience: float = PATIENCE,
    ) -> None:
        self._target = target
        self._length = length
        self._clock = clock
        self._on_sample = on_sample
        self._on_sent = on_sent
        self._patience = patience
        self._under_way: set[_Asked] = set()
        self._count = 0

    @asynccontextmanager
    async def patience(self) -> AsyncIterator[None]:
        """Within it silent answers are given up."""
        watch = asyncio.ensure_future(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch

    async def ask(self, prompt: Prompt, scheduled: float) -> None:
        """Ask now what was due at ``scheduled``; returns when the answer has ended, however that was."""
        asked = _Asked(self._count, prompt, scheduled, self._clock)
        self._count += 1
        self._under_way.add(asked)
        self._on_sent(asked.sent, len(self._under_way))
        try:
            fault = await self._answer(asked)
        finally:
            self._under_way.discard(asked)
        heard = asked.hearing
        self._on_sample(_sample(asked, self._clock.now(), judge(prompt, heard, fault)), heard.text)

    async def _answer(self, asked: _Asked) -> TargetFault | None:
        prompt = asked.prompt
        length = self._length if prompt.max_tokens is None else Length(prompt.max_tokens, self._length.fixed)
        try:
            await self._target.answer(prompt, length, asked.hearing)
        except TargetFault as fault:
            return fault
        except asyncio.CancelledError:
            if not asked.given_up or asked.task.uncancel():
                raise
            kind = "stalled" if asked.hearing.times else "timeout"
            return TargetFault(kind, f"Nothing came for {self._patience:g} seconds.")
        except Exception as error:  # one odd answer must not cost the whole run
            log.debug("a benchmark's request failed", exc_info=True)
            return TargetFault("unexpected", f"{type(error).__name__}: {error}")
        return None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOKS)
            now = self._clock.now()
            for asked in list(self._under_way):
                heard = asked.hearing.times[-1] if asked.hearing.times else asked.sent
                if now - heard > self._patience and not asked.given_up:
                    asked.given_up = True
                    asked.task.cancel()


class _Asked:
    """A request under way, in the task that asks."""

    __slots__ = ("given_up", "hearing", "index", "prompt", "scheduled", "sent", "task")

    def __init__(self, index: int, prompt: Prompt, scheduled: float, clock: Clock) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.index = index
        self.prompt = prompt
        self.scheduled = scheduled
        self.sent = clock.now()
        self.hearing = Hearing(clock.now)
        self.given_up = False


def _sample(asked: _Asked, end: float, verdict: Verdict) -> Sample:
    heard = asked.hearing
    times = heard.times
    return Sample(
        index=asked.index,
        prompt=asked.prompt.id,
        scheduled=round(asked.scheduled, _DIGITS),
        sent=round(asked.sent, _DIGITS),
        first=round(times[0], _DIGITS) if times else None,
        last=round(times[-1], _DIGITS) if times else None,
        end=round(end, _DIGITS),
        outcome=verdict.outcome,
        error=verdict.error,
        kind=verdict.kind,
        finish_reason=heard.finish_reason,
        input_tokens=heard.input_tokens,
        output_tokens=heard.output_tokens,
        pieces=heard.pieces,
        gaps=tuple(after - before for before, after in pairwise(times)),
    )
