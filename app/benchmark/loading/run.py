"""A run of load from beginning to end: ``load`` (a closed loop) and ``arrival`` (an open one).

from app.benchmark.loading.run import load
from app.benchmark.loading.request import LoadRequest

report = load(LoadRequest(base_url="http://127.0.0.1:8000/v1", concurrency=8, requests=100))
print(report.summary(), report.distributions()["ttft_ms"].median)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from app.benchmark import synthetic
from app.benchmark.environment import environment
from app.benchmark.figures import Distribution
from app.benchmark.loading import config as load_config
from app.benchmark.loading import targets
from app.benchmark.loading.arrival_times import coming
from app.benchmark.loading.clock import RealClock
from app.benchmark.loading.judging import compare_alike, texts_of
from app.benchmark.loading.loops import closed_loop, open_loop
from app.benchmark.loading.open_figures import arrivals_of, goodput_of, kept_of
from app.benchmark.loading.report import Arrivals, LoadReport
from app.benchmark.monitor.sampler import Monitor
from app.benchmark.prompt_file import parse
from app.benchmark.prompts import Length, Prompt
from app.benchmark.quiet import quiet
from app.benchmark.sample import Sample
from app.config import get_settings
from app.jobs import Cancelled
from app.runs import now
from app.schema import OnProgress, Progress

if TYPE_CHECKING:
    from app.benchmark.loading.request import ArrivalRequest, LoadRequest
    from app.benchmark.target import Target
    from app.config import Settings

_PROGRESS_SECONDS = 0.25
_UNIQUE = 10_000
"""Synthetic prompts that are made for one run; more requests ask them again."""


def load(
    request: LoadRequest, settings: Settings | None = None, on_progress: OnProgress = lambda progress: None
) -> LoadReport:
    """A closed loop. Ctrl-C, or a progress that raises Cancelled, ends it; what came until then is reported and marked.

    Raises:
        BenchmarkError: it cannot be measured, or its server is down or does not serve the model.
        ConfigError, EngineError: the engine cannot be used.
    """
    request.check()
    settings = settings or get_settings()
    prompts = _prompts(request, min(request.requests + request.warm_up, _UNIQUE))
    with targets.opened(request, settings, on_progress) as target:
        run = _Run(target, request.requests, on_progress)
        length = Length(request.max_tokens, request.fixed)

        async def work(clock: RealClock) -> None:
            common: dict[str, Any] = {"readers": request.concurrency, "length": length, "patience": request.patience}
            warm = prompts[: request.warm_up]
            if warm:
                await closed_loop(target, warm, requests=request.warm_up, clock=clock, **common)
            done = request.warm_up % len(prompts)
            rest = [*prompts[done:], *prompts[:done]]  # those of the warm-up come again last
            await closed_loop(target, rest, requests=request.requests, clock=clock, on_sample=run.took, **common)

        run.do(work, request, settings)
    samples = run.samples()
    return run.report("load", load_config.load(request, target), samples, _seconds(samples))


def arrival(
    request: ArrivalRequest, settings: Settings | None = None, on_progress: OnProgress = lambda progress: None
) -> LoadReport:
    """An open loop; otherwise as :func:`load`."""
    request.check()
    settings = settings or get_settings()
    plan = coming(request, lambda count: _prompts(request, min(count, _UNIQUE)))
    with targets.opened(request, settings, on_progress) as target:
        run = _Run(target, len(plan.times), on_progress)
        length = Length(request.max_tokens, request.fixed)

        async def work(clock: RealClock) -> None:
            begin = clock.now()  # the times count from here
            await open_loop(
                target, plan.prompts, [begin + when for when in plan.times], length=length, clock=clock,
                on_sample=run.took, on_sent=run.sent, patience=request.patience,
            )  # fmt: skip

        run.do(work, request, settings)
    samples, cut = kept_of(run.samples(), plan, request)
    found = arrivals_of(samples, run.in_flight, plan, request)
    report = run.report("arrival", load_config.arrival(request, target, plan), samples, _seconds(samples), found)
    return replace(report, goodput=goodput_of(report, request.limits), notes=(*report.notes, *cut))


def _prompts(request: LoadRequest | ArrivalRequest, count: int) -> list[Prompt]:
    source = request.prompts
    if source.kind == "prompts":
        return parse(source.text, source.file)
    return synthetic.prompts(count, source.tokens, source.seed)


def _seconds(samples: Sequence[Sample]) -> float:
    """From the first that counts, when it was due, to the end of the last."""
    kept = [sample for sample in samples if sample.kept]
    if not kept:
        return 0.0
    return round(max(sample.end for sample in kept) - min(sample.scheduled for sample in kept), 6)


@dataclass
class _Run:
    """What is noted while the requests come and go."""

    target: Target
    total: int
    on_progress: OnProgress
    in_flight: list[tuple[float, int]] = field(default_factory=list)
    interrupted: bool = False
    resources: dict[str, Any] = field(default_factory=dict)
    _pairs: list[tuple[Sample, str]] = field(default_factory=list)
    _shown: float = 0.0

    def took(self, sample: Sample, text: str) -> None:
        """A request has ended."""
        self._pairs.append((sample, text))
        self._tell()

    def sent(self, when: float, under_way: int) -> None:
        """A request is sent."""
        self.in_flight.append((when, under_way))
        self._tell()

    def _tell(self) -> None:
        if (at := time.monotonic()) - self._shown >= _PROGRESS_SECONDS:
            self._shown = at
            self.on_progress(Progress("measuring", len(self._pairs), self.total, self.target.name))

    def do(
        self, work: Callable[[RealClock], Awaitable[None]], request: LoadRequest | ArrivalRequest, settings: Settings
    ) -> None:
        """``work``, watched; its interruption is noted."""
        self.on_progress(Progress("measuring", 0, self.total, self.target.name))
        monitor = Monitor(request.gpus, targets.metrics_of(request, settings))
        try:
            with quiet(), monitor:
                asyncio.run(self._work(work))
        except (KeyboardInterrupt, Cancelled):
            self.interrupted = True
        tokens = [sample.output_tokens for sample, _ in self._pairs if sample.output_tokens is not None]
        self.resources = monitor.resources(sum(tokens) or None)

    async def _work(self, work: Callable[[RealClock], Awaitable[None]]) -> None:
        try:
            await work(RealClock())
        finally:
            await self.target.close()

    def samples(self) -> list[Sample]:
        """In the order of asking, compared with each other."""
        return compare_alike(*texts_of(self._pairs))

    def report(
        self,
        kind: str,
        config: dict[str, Any],
        samples: Sequence[Sample],
        seconds: float,
        found: Arrivals | None = None,
    ) -> LoadReport:
        """All of it."""
        at, name = now()
        gaps = [gap for sample in samples if sample.kept and sample.ok for gap in sample.gaps]
        notes = []
        if self.interrupted:
            notes.append(f"Stopped after {len(samples)} of {self.total} requests; those under way do not count.")
        if config["fixed_length"] and not getattr(self.target, "has_fixed_length", True):
            notes.append("The server takes no ignore_eos: answers end where the model ends them.")
        return LoadReport(
            name, at, kind, config, environment(), seconds, tuple(samples), Distribution.ms(gaps), self.resources,
            found, None, self.interrupted, tuple(notes),
        )  # fmt: skip
