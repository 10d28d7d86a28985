"""What is told of a run of load: facts, warnings and tables, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.benchmark.loading.report import LIMITS, LoadReport
from app.benchmark.loading.saturation import FEWEST
from app.benchmark.notes import told
from app.benchmark.reporting.grid import Grid
from app.benchmark.reporting.told_resources import resources
from app.benchmark.reporting.words import counted, kind, say
from app.sizes import figure
from app.text import Language

_ERRORS = 20
_COLUMNS = ("n", "min", "mean", "median", "p95", "p99", "max")


def done(report: LoadReport, of: Language) -> Iterator[str]:
    """What was asked, in short."""
    yield counted(of, "requests", len(report.kept))
    yield from how(report, of)


def how(report: LoadReport, of: Language) -> tuple[str, ...]:
    """The load, how long answers are, and the prompts: what must be alike in runs that are compared."""
    config = report.config
    load = ""
    if "concurrency" in config:
        load = say(of, "at_once", readers=counted(of, "readers", config["concurrency"]))
    elif "rate" in config:
        load = say(of, "arriving", process=say(of, f"process_{config['process']}"), rate=figure(config["rate"]))
    long = "tokens_long" if config.get("fixed_length") else "tokens_at_most"
    length = say(of, long, count=config["max_tokens"]) if "max_tokens" in config else ""
    return load, length, told(of, config.get("prompts") or "")


def warnings(report: LoadReport, of: Language) -> Iterator[str]:
    """What to know before one reads the figures."""
    arrivals = report.arrivals
    if arrivals is not None and arrivals.over_saturated:
        yield say(of, "over_saturated", why=told(of, arrivals.why))
    if arrivals is not None and not arrivals.lag_valid:
        yield say(of, "lag_invalid")
    if not report.ok:
        yield say(of, "nothing_whole")


def tiles(report: LoadReport, of: Language) -> list[tuple[str, str]]:
    """The figures that most readers look for, each with its name."""
    found, summary = report.distributions(), report.summary()
    speed = report.tokens()["output_per_second"]
    latency = found["latency_ms"]
    late = "p95" if latency.p95 is not None else "median"
    return [
        (say(of, "whole_answers"), f"{summary['successful']:,} / {summary['total']:,}"),
        (say(of, "answers_over_time"), figure(summary["successful_rps"])),
        *([(say(of, "speed_over_time"), figure(speed))] if speed is not None else []),
        _tile("ttft_ms", "median", found["ttft_ms"].median, of),
        _tile("tpot_ms", "median", found["tpot_ms"].median, of),
        _tile("latency_ms", late, getattr(latency, late), of),
    ]


def _tile(name: str, which: str, ms: float | None, of: Language) -> tuple[str, str]:
    return f"{say(of, name)} · {say(of, which)}", figure(ms) if ms is None else say(of, "ms", ms=figure(ms))


def grids(report: LoadReport, of: Language) -> Iterator[Grid]:
    """Counts and rates, times, errors, and what it took of the machine."""
    yield Grid(say(of, "summary"), (), [*_summary(report, of)], frozenset({0, 1}))
    yield _times(report, of)
    if report.errors():
        yield _errors(report, of)
    yield resources(report.resources, of)


def _summary(report: LoadReport, of: Language) -> Iterator[tuple[str, str]]:
    summary, counts = report.summary(), report.outcomes()
    named = {"total": summary["total"], **counts}
    parts = [say(of, "count_of", count=f"{count:,}", what=say(of, name)) for name, count in named.items()]
    yield say(of, "requests_name"), " · ".join(parts)
    speed = report.tokens()["output_per_second"]
    rates = [say(of, "answers_per_second", rate=figure(summary["successful_rps"]))]
    rates += [say(of, "tokens_per_second", rate=figure(speed))] if speed is not None else []
    rates.append(say(of, "in_seconds", seconds=figure(report.seconds)))
    yield say(of, "throughput"), " · ".join(rates)
    if (arrivals := report.arrivals) is not None:
        came = say(of, "came", rate=figure(arrivals.sent_rate))
        answered = say(of, "answered_rate", rate=figure(arrivals.answered_rate))
        kept = [] if arrivals.over_saturated or len(report.kept) < FEWEST else [say(of, "not_saturated")]
        yield say(of, "rates"), " · ".join([came, answered, *kept])
        yield say(of, "sending"), _lag(report, of)
    if (goodput := report.goodput) is not None:
        yield (
            say(of, "goodput"),
            say(
                of, "good", good=f"{goodput.good:,}", total=f"{summary['total']:,}", share=figure(goodput.share * 100),
                limits=limits(goodput.limits, of), rate=figure(goodput.per_second),
            ),
        )  # fmt: skip


def limits(wanted: Mapping[str, float], of: Language) -> str:
    """What an answer was held to."""
    return " · ".join(say(of, f"{name}_limit", ms=figure(wanted[name])) for name in LIMITS if name in wanted)


def _lag(report: LoadReport, of: Language) -> str:
    lag, arrivals = report.distributions()["dispatch_lag_ms"], report.arrivals
    verdict = "lag_ok" if arrivals is None or arrivals.lag_valid else "lag_bad"
    late = ("p99", lag.p99) if lag.p99 is not None else ("max", lag.max)
    return say(
        of, "lag", median=figure(lag.median), late=figure(late[1]), which=say(of, late[0]), verdict=say(of, verdict)
    )


def _times(report: LoadReport, of: Language) -> Grid:
    found = report.distributions()
    names = {"latency_ms": "latency_ms"} if report.kind == "load" else {
        "latency_ms": "latency_due", "service_ms": "service_ms",
    }  # fmt: skip
    names |= {name: name for name in ("ttft_ms", "tpot_ms", "itl_ms", "dispatch_lag_ms")}
    rows = []
    for name, words in names.items():
        distribution = found[name]
        values = [figure(getattr(distribution, column)) for column in _COLUMNS[1:]]
        rows.append([say(of, words), f"{distribution.n:,}", *values])
    return Grid(say(of, "times"), ["", *(say(of, column) for column in _COLUMNS)], rows)


def _errors(report: LoadReport, of: Language) -> Grid:
    found = report.errors()
    rows = [
        [f"{item['count']:,}", say(of, item["outcome"]), kind(of, item["kind"]), told(of, item["error"])]
        for item in found[:_ERRORS]
    ]
    if len(found) > _ERRORS:
        rest = sum(item["count"] for item in found[_ERRORS:])
        rows.append([f"{rest:,}", "", "", say(of, "other_errors", count=len(found) - _ERRORS)])
    heads = [say(of, head) for head in ("count", "outcome", "kind", "error")]
    return Grid(say(of, "errors"), heads, rows, frozenset({1, 2, 3}))
