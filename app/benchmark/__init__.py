"""How fast engines answer: load, arrivals, comparisons, and what is told of them.

For Python users::

    from app.benchmark import compare, tune
    from app.benchmark.request import PromptSource

    report = compare("hf", "vllm", readers=(1, 8), prompts=PromptSource("collection"))
    print(report.advice.label, report.notes)
    for up in report.speed_ups():
        print(up.label, up.readers, up.turns, up.ratio.mean, up.ratio.low, up.ratio.high)

``app.benchmark.load_run`` has the same for load and arrivals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.benchmark.comparison import ComparisonReport
    from app.benchmark.request import CompareRequest, TuneRequest
    from app.config import Settings
    from app.schema import OnProgress


def compare(
    *engines: str, settings: Settings | None = None, on_progress: OnProgress = lambda progress: None, **how: Any
) -> ComparisonReport:
    """Load engines (``NAME`` or ``NAME=MODEL``), ask them the same, tell which one to use; nothing is kept.

    ``how`` are the other fields of :class:`app.benchmark.request.CompareRequest`. Ctrl-C ends it: the report then
    says ``interrupted`` and has what was measured until then. Raises as :func:`app.benchmark.comparing.compare`.
    """
    from app.benchmark.request import CompareRequest

    return _measured(CompareRequest(engines, **how), settings, on_progress)


def tune(
    engine: str, *, settings: Settings | None = None, on_progress: OnProgress = lambda progress: None, **how: Any
) -> ComparisonReport:
    """Try settings of an engine; ``how`` as of :class:`app.benchmark.request.TuneRequest`, else as :func:`compare`."""
    from app.benchmark.request import TuneRequest

    return _measured(TuneRequest(engine, **how), settings, on_progress)


def _measured(
    request: CompareRequest | TuneRequest, settings: Settings | None, on_progress: OnProgress
) -> ComparisonReport:
    from contextlib import closing

    from app.benchmark import comparing, tuning
    from app.benchmark.request import CompareRequest
    from app.config import get_settings
    from app.knowledge import open_knowledge

    request.check()
    current = settings or get_settings()
    with closing(open_knowledge(current)) as knowledge:  # it reads, also beside a running server
        around = comparing.Surroundings(current, knowledge)
        if isinstance(request, CompareRequest):
            return comparing.compare(request, around, on_progress)
        return tuning.tune(request, around, on_progress)
