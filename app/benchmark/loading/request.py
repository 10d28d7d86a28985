"""What a run of load is to be: whom to ask, how often, with what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.benchmark.loading.arrivals import BURSTINESS, PROCESSES, Process
from app.benchmark.loading.asking import PATIENCE
from app.benchmark.loading.report import LIMITS
from app.benchmark.prompts import PromptSource
from app.errors import BenchmarkError

MOST_READERS = 4096
MOST_REQUESTS = 1_000_000
WARM_UP_SHARE = 0.1
"""Of the duration of arrivals, unless another warm-up is given."""


@dataclass(frozen=True, kw_only=True)
class _Request:
    """``base_url``: a server with OpenAI's API; empty is that of the settings. ``model``: empty takes what is served.

    ``engine``: an engine in this process instead (NAME or NAME=MODEL). ``completions`` asks ``/v1/completions``, which
    has no chat template. ``max_tokens`` long are answers; ``fixed``: the engine goes on past its end mark until then.
    ``patience``: seconds without a token after which an answer is given up. ``check_tokens``: vLLM tells every token's
    id, so that a lost one is noticed. ``gpus``: indices or UUIDs of those to watch; None watches all.
    """

    base_url: str = ""
    model: str = ""
    engine: str = ""
    api_key: str = field(default="", repr=False)
    prompts: PromptSource = field(default_factory=PromptSource)
    max_tokens: int = 128
    fixed: bool = True
    completions: bool = False
    patience: float = PATIENCE
    check_tokens: bool = False
    gpus: tuple[str, ...] | None = None

    def _check(self) -> None:
        if self.max_tokens < 1:
            raise BenchmarkError(f"Answers of {self.max_tokens} tokens are none.", "Give 1 at least.")
        if not (math.isfinite(self.patience) and self.patience > 0):
            raise BenchmarkError(f"A time-out of {self.patience:g} seconds is none.", "Give one above 0.")
        if self.engine and (self.base_url or self.completions or self.check_tokens):
            raise BenchmarkError(
                "An engine in this process has no address, and no API to choose.",
                "Leave --engine out, or the options about a server.",
            )
        if self.engine and self.model:
            raise BenchmarkError("An engine in this process is named with its model.", "Write --engine NAME=MODEL.")
        if self.prompts.kind not in ("synthetic", "prompts"):
            raise BenchmarkError(
                "A load asks plain prompts.", "Use a file of prompts or synthetic ones; `bench compare` asks questions."
            )
        self.prompts.check()


@dataclass(frozen=True, kw_only=True)
class LoadRequest(_Request):
    """A closed loop: ``concurrency`` readers ask ``requests`` prompts in all, after ``warm_up`` that do not count."""

    concurrency: int = 8
    requests: int = 100
    warm_up: int = 0

    def check(self) -> None:
        """Raises BenchmarkError for what cannot be measured."""
        self._check()
        if not 1 <= self.concurrency <= MOST_READERS:
            raise BenchmarkError(f"{self.concurrency} readers cannot be had.", f"Give 1 to {MOST_READERS:,}.")
        if not 1 <= self.requests <= MOST_REQUESTS:
            raise BenchmarkError(f"{self.requests} requests cannot be made.", f"Give 1 to {MOST_REQUESTS:,}.")
        if not 0 <= self.warm_up <= MOST_REQUESTS:
            raise BenchmarkError(f"{self.warm_up} requests cannot be made.", "Give 0 for no warm-up.")


@dataclass(frozen=True, kw_only=True)
class ArrivalRequest(_Request):
    """An open loop: prompts at ``rate`` a second for ``duration`` seconds, or until ``count`` have come.

    ``trace``: the content of a recording (of the file ``trace_name``) whose times and lengths are used; ``rate`` then
    changes its pace, and None keeps it. ``warm_up`` and ``cool_down``: seconds at the beginning and the end of the
    arrivals that do not count; ``warm_up`` None is a tenth of them. ``limits``: milliseconds by a name of LIMITS.
    """

    rate: float | None = None
    duration: float | None = None
    count: int | None = None
    process: Process = "poisson"
    burstiness: float = BURSTINESS
    seed: int = 0
    trace: str | None = None
    trace_name: str = ""
    warm_up: float | None = None
    cool_down: float = 0.0
    limits: Mapping[str, float] = field(default_factory=dict)

    def check(self) -> None:
        """Raises BenchmarkError for what cannot be measured."""
        self._check()
        if self.process not in PROCESSES:
            raise BenchmarkError(f"{self.process!r} is no way to come.", f"Choose of {', '.join(PROCESSES)}.")
        if self.trace is None and self.rate is None:
            raise BenchmarkError("The arrivals have no rate.", "Give prompts a second, such as 2, or a recording.")
        for seconds in (self.warm_up or 0.0, self.cool_down):
            if not (math.isfinite(seconds) and seconds >= 0):
                raise BenchmarkError(f"{seconds:g} seconds cannot be cut off.", "Give 0 to cut nothing.")
        for name, limit in self.limits.items():
            if name not in LIMITS or not (math.isfinite(limit) and limit > 0):
                raise BenchmarkError(
                    f"{name}: {limit:g} is no limit.", f"Limits are milliseconds above 0 for {', '.join(LIMITS)}."
                )
