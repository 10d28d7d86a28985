"""What the product counts, for Prometheus. The names and their labels are listed in docs/monitoring.md.

Labels take few values: the names of engines, routes and errors, never a document's, a model's or a reader's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakSet

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.engines.registry import AUTO, ENGINES
from app.errors import HotswapError
from app.schema import Answer, IngestReport, RouteStatus

if TYPE_CHECKING:
    from app.admission import Admission
    from app.engines.switch import EngineSwitch

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of the text, as its format asks for. Source: Prometheus, Exposition formats."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, that nobody asks for

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)
_SEARCH_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_INGESTION_SECONDS = (0.5, 1, 2, 5, 15, 60, 300, 1800, 7200)


class Metrics:
    """Counted in one process; safe from any thread."""

    def __init__(self) -> None:
        self._seen: WeakSet[HotswapError] = WeakSet()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = self._counter("requests", "Requests by path and status", "path", "method", "status")
        self.errors = self._counter("errors", "Errors by code", "code")
        self.answers = self._counter("answers", "Answers by engine and outcome", "engine", "outcome")
        self.tokens = self._counter("tokens", "Tokens that engines read and wrote", "engine", "kind")
        self.switches = self._counter("engine_switches", "Switches of the engine by outcome", "engine", "outcome")
        self.documents = self._counter("ingested_documents", "Documents that went in, by outcome", "outcome")
        self.ttft = self._histogram("ttft_seconds", "Seconds to the first word", _SECONDS, "engine")
        self.answer_seconds = self._histogram("answer_seconds", "Seconds to the last word", _SECONDS, "engine")
        self.retrieval = self._histogram("retrieval_seconds", "Seconds of search", _SEARCH_SECONDS)
        self.ingestion = self._histogram("ingestion_seconds", "Seconds of ingestions", _INGESTION_SECONDS)

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(f"hotswap_{name}_total", told, labels, registry=self.registry)

    def _histogram(self, name: str, told: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"hotswap_{name}", told, labels, buckets=buckets, registry=self.registry)

    def gauge(self, name: str, told: str, value: Callable[[], float]) -> None:
        """A number that is looked up whenever somebody reads the metrics."""
        Gauge(f"hotswap_{name}", told, registry=self.registry).set_function(value)

    def states(self, name: str, told: str, label: str, values: Callable[[], Iterable[tuple[str, float]]]) -> None:
        """Numbers by name, looked up whenever somebody reads the metrics."""
        self.registry.register(_States(f"hotswap_{name}", told, label, values))

    def answered(self, answer: Answer, error: Exception | None, left: bool) -> None:
        """An answer has ended."""
        engine = answer.engine or "none"
        if error is not None:
            self.failed(error)
        self.answers.labels(engine, _outcome(answer, error, left)).inc()
        timings = answer.timings
        if timings.retrieval_ms:
            self.retrieval.observe(timings.retrieval_ms / 1000)
        if timings.ttft_ms is not None:
            self.ttft.labels(engine).observe(timings.ttft_ms / 1000)
        if answer.complete:
            self.answer_seconds.labels(engine).observe(timings.total_ms / 1000)
        if answer.usage:
            self.tokens.labels(engine, "prompt").inc(answer.usage.prompt_tokens)
            self.tokens.labels(engine, "completion").inc(answer.usage.completion_tokens)

    def failed(self, error: Exception) -> None:
        """Something that was asked for did not come. An error that passes here twice counts once."""
        if not isinstance(error, HotswapError):
            self.errors.labels("unexpected").inc()
        elif error not in self._seen:
            self._seen.add(error)
            self.errors.labels(error.code).inc()

    def ingested(self, report: IngestReport) -> None:
        """An ingestion has ended."""
        counts = {"added": report.added, "updated": report.updated, "removed": report.removed}
        for outcome, count in {**counts, "failed": len(report.failed)}.items():
            self.documents.labels(outcome).inc(count)
        self.ingestion.observe(report.seconds)

    @contextmanager
    def switching(self, engine: str) -> Iterator[None]:
        """Counts a switch of the engine by its end."""
        name = engine if engine in (AUTO, *ENGINES) else "unknown"
        try:
            yield
        except BaseException:
            self.switches.labels(name, "failed").inc()
            raise
        self.switches.labels(name, "done").inc()

    def text(self) -> bytes:
        """All of it in Prometheus's format."""
        return generate_latest(self.registry)


def observe(metrics: Metrics, admission: Admission, switch: EngineSwitch) -> None:
    """What is looked up whenever somebody reads the metrics."""

    def live() -> Iterator[tuple[str, float]]:
        try:
            chosen = switch.choice().engine.name
        except HotswapError:
            chosen = ""
        return ((name, float(name == chosen)) for name in ENGINES)

    def routes() -> Iterator[tuple[str, float]]:
        statuses: tuple[RouteStatus, ...] = getattr(switch.engines.get("vllm_openai"), "routes", tuple)()
        return ((route.name, float(route.state in ("in", "busy"))) for route in statuses)

    metrics.gauge("tasks_active", "Answers being written", lambda: admission.active)
    metrics.gauge("tasks_waiting", "Questions in line", lambda: admission.waiting)
    metrics.states("engine_live", "1 for the engine that answers now", "engine", live)
    metrics.states("route_up", "1 for a server that answers", "route", routes)


def _outcome(answer: Answer, error: Exception | None, left: bool) -> str:
    if left:
        return "left"
    if answer.refused:
        return "refused"
    if answer.complete:
        return "answered"
    return "incomplete" if answer.answer else "failed"


class _States(Collector):
    """A family of gauges in prometheus_client's terms."""

    def __init__(self, name: str, told: str, label: str, values: Callable[[], Iterable[tuple[str, float]]]) -> None:
        self._name, self._told, self._label, self._values = name, told, label, values

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked of the product to register it."""
        return [GaugeMetricFamily(self._name, self._told, labels=[self._label])]

    def collect(self) -> Iterable[Metric]:
        """The numbers as they are now."""
        family = GaugeMetricFamily(self._name, self._told, labels=[self._label])
        for name, value in self._values():
            family.add_metric([name], value)
        return [family]
