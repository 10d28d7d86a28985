"""What every engine of a comparison is asked: the same prompts, by as many readers, in the same order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from app.benchmark import synthetic
from app.benchmark.comparisons.conversations import conversations
from app.benchmark.comparisons.prompt_source import size
from app.benchmark.engine_target import EngineTarget
from app.benchmark.loading.clock import RealClock
from app.benchmark.loading.loops import closed_loop
from app.benchmark.named_engine import PATIENCE
from app.benchmark.prompts import Length
from app.schema import OnProgress, Progress

if TYPE_CHECKING:
    from types import TracebackType

    from app.benchmark.comparisons.prompt_source import Prompts
    from app.benchmark.comparisons.request import CompareRequest, TuneRequest
    from app.benchmark.comparisons.seat import Seat
    from app.benchmark.monitor.memory import MemoryGauge
    from app.benchmark.sample import Sample

_LOOKS = 0.3  # seconds between two looks at whether to stop
_WARM_TOKENS = 8
_WARM_SEED = 987_654_321  # of other prompts than those that are measured


@dataclass(frozen=True)
class Round:
    """One repeat under one load; ``start`` is the number of its first prompt."""

    readers: int
    turns: int
    start: int
    count: int


def rounds(request: CompareRequest | TuneRequest, turns: Sequence[int]) -> list[Round]:
    """All of them; each has prompts of its own as long as there are some."""
    found: list[Round] = []
    start = 0
    for length in turns:
        for readers in request.readers:
            count = request.asked(readers) if length == 1 else readers * length
            for _ in range(request.repeats):
                found.append(Round(readers, length, start, count))
                start += count
    return found


class Course:
    """Use as a context manager: engines are asked from inside it. ``steps``: how many rounds there are in all."""

    def __init__(
        self, prompts: Prompts, max_tokens: int, steps: int, gauge: MemoryGauge, on_progress: OnProgress
    ) -> None:
        self._prompts = prompts
        self._length = Length(max_tokens)
        self._steps = steps
        self._done = 0
        self._gauge = gauge
        self._on_progress = on_progress
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.__exit__(kind, error, trace)

    def warm_up(self, seat: Seat, readers: int) -> None:
        """Prompts as long as those that count, and a few words of answers to them."""
        if seat.problem or seat.engine is None:
            return
        target = EngineTarget(seat.engine, seat.label)
        made = synthetic.prompts(readers, size(self._prompts.items[0]), _WARM_SEED)
        length = Length(min(_WARM_TOKENS, self._length.max_tokens))
        self._run(
            "warming", seat,
            lambda: closed_loop(
                target, made, readers=readers, requests=readers, length=length, clock=RealClock(), patience=PATIENCE
            ),
        )  # fmt: skip

    def measure(self, seat: Seat, step: Round) -> None:
        """One repeat; what came is noted in ``seat``."""
        self._done += 1
        if seat.problem or seat.engine is None:
            return
        target = EngineTarget(seat.engine, seat.label)
        asked = self._prompts.take(step.start, step.count)
        clock = RealClock()
        common: dict[str, Any] = {"length": self._length, "clock": clock, "patience": PATIENCE}

        def work() -> Coroutine[Any, Any, list[Sample]]:
            if step.turns == 1:
                return closed_loop(target, asked, readers=step.readers, requests=step.count, **common)
            follow = self._prompts.follow
            return conversations(target, asked, readers=step.readers, turns=step.turns, follow=follow, **common)

        seat.begin(self._gauge.now())
        with self._gauge.peak() as peak:
            samples = self._run("measuring", seat, work)
        seat.took((step.readers, step.turns), samples, peak, self._gauge.now())

    def _run(self, stage: str, seat: Seat, work: Callable[[], Coroutine[Any, Any, list[Sample]]]) -> list[Sample]:
        def tell() -> None:
            self._on_progress(Progress(stage, max(0, self._done - 1), self._steps, seat.label))

        return self._runner.run(_watched(work, tell))


async def _watched(work: Callable[[], Coroutine[Any, Any, list[Sample]]], look: Callable[[], None]) -> list[Sample]:
    """``work``, broken off where ``look`` raises."""
    look()
    task = asyncio.ensure_future(work())
    try:
        while not (await asyncio.wait([task], timeout=_LOOKS))[0]:
            look()
        look()  # who ends it also ends the engine's processes: what failed of that does not count
    except BaseException:
        task.cancel()
        await asyncio.wait([task])
        raise
    return task.result()
