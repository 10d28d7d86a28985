"""How fast engines answer: load, arrivals, comparisons, and what is told of them.

For Python users::

    from app.benchmark import arrival, compare, load, tune
    from app.benchmark.prompts import PromptSource

    report = load(base_url="http://127.0.0.1:8000", concurrency=8, requests=100)
    print(report.summary(), report.distributions()["ttft_ms"].median)

    report = compare("hf", "vllm", readers=(1, 8), prompts=PromptSource("collection"))
    print(report.advice.label, report.notes)
    for up in report.speed_ups():
        print(up.label, up.readers, up.turns, up.ratio.mean, up.ratio.low, up.ratio.high)

Nothing is kept. Ctrl-C ends a measurement: the report then says ``interrupted`` and has what came until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.benchmark.comparisons.report import ComparisonReport
    from app.benchmark.comparisons.request import CompareRequest, TuneRequest
    from app.benchmark.loading.report import LoadReport
    from app.config import Settings
    from app.schema import OnProgress


def load(
    *, settings: Settings | None = None, on_progress: OnProgress = lambda progress: None, **how: Any
) -> LoadReport:
    """Readers who always ask; ``how`` are the fields of :class:`app.benchmark.loading.request.LoadRequest`.

    Raises as :func:`app.benchmark.loading.run.load`.
    """
    from app.benchmark.loading import run
    from app.benchmark.loading.request import LoadRequest

    return run.load(LoadRequest(**how), settings, on_progress)


def arrival(
    *, settings: Settings | None = None, on_progress: OnProgress = lambda progress: None, **how: Any
) -> LoadReport:
    """Prompts at times; ``how`` as of :class:`app.benchmark.loading.request.ArrivalRequest`, else as :func:`load`."""
    from app.benchmark.loading import run
    from app.benchmark.loading.request import ArrivalRequest

    return run.arrival(ArrivalRequest(**how), settings, on_progress)


def compare(
    *engines: str, settings: Settings | None = None, on_progress: OnProgress = lambda progress: None, **how: Any
) -> ComparisonReport:
    """Load engines (``NAME`` or ``NAME=MODEL``), ask them the same, tell which one to use.

    ``how`` are the other fields of :class:`app.benchmark.comparisons.request.CompareRequest`. Raises as
    :func:`app.benchmark.comparisons.comparing.compare`.
    """
    from app.benchmark.comparisons.request import CompareRequest

    return _measured(CompareRequest(engines, **how), settings, on_progress)


def tune(
    engine: str, *, settings: Settings | None = None, on_progress: OnProgress = lambda progress: None, **how: Any
) -> ComparisonReport:
    """Try settings of an engine; ``how`` as of :class:`app.benchmark.comparisons.request.TuneRequest`.

    Otherwise as :func:`compare`.
    """
    from app.benchmark.comparisons.request import TuneRequest

    return _measured(TuneRequest(engine, **how), settings, on_progress)


def _measured(
    request: CompareRequest | TuneRequest, settings: Settings | None, on_progress: OnProgress
) -> ComparisonReport:
    from contextlib import closing

    from app.benchmark.comparisons import comparing, tuning
    from app.benchmark.comparisons.request import CompareRequest
    from app.config import get_settings
    from app.knowledge import open_knowledge

    request.check()
    current = settings or get_settings()
    with closing(open_knowledge(current)) as knowledge:  # it reads, also beside a running server
        around = comparing.Surroundings(current, knowledge)
        if isinstance(request, CompareRequest):
            return comparing.compare(request, around, on_progress)
        return tuning.tune(request, around, on_progress)
