"""Reports of every shape, for tests that hold for all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from app.benchmark.comparisons.advice import WHY
from app.benchmark.comparisons.report import Advice, Cell, ComparisonReport, Contestant
from app.benchmark.figures import Distribution
from app.benchmark.loading.report import Arrivals, Goodput, LoadReport
from app.benchmark.sample import OUTCOMES, Sample
from tests.benchmark.reports import ENVIRONMENT, NO_GPU, RESOURCES

TEXTS = st.one_of(
    st.text(max_size=20), st.sampled_from(["<script>", "=1+1", '"', "引擎", "a\r\nb", "\ud800", "{x}", "http_503"])
)
MS = st.integers(0, 10_000_000)
VALUES = st.floats(0.001, 1e6)
IDS = st.sampled_from(["20261203T091500123456-0a1b", "20261204T091500123456-0a1c"])
TIMES = st.sampled_from(["2026-12-03T09:15:00+00:00", "2026-12-04T09:15:00+00:00"])
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "model": TEXTS, "target": TEXTS, "concurrency": st.integers(1, 64), "max_tokens": st.integers(1, 999),
        "fixed_length": st.booleans(), "prompts": TEXTS, "repeats": st.integers(1, 5), "limits": st.just({"e2e_ms": 5}),
    },
)  # fmt: skip
RATES = CONFIGS.map(lambda config: {**config, "process": "poisson", "rate": 2.5})


@st.composite
def samples(draw: st.DrawFn, index: int) -> Sample:
    """One that may have failed anywhere."""
    outcome = draw(st.sampled_from(OUTCOMES))
    scheduled = draw(MS)
    steps = sorted(draw(st.lists(MS, min_size=4, max_size=4)))
    sent, first, last, end = ((scheduled + step) / 1000 for step in steps)
    begun = outcome != "failed" or draw(st.booleans())
    tokens = draw(st.none() | st.integers(0, 500))
    return Sample(
        index, draw(TEXTS), scheduled / 1000, sent, first if begun else None, last if begun else None, end, outcome,
        draw(TEXTS), draw(TEXTS), draw(st.none() | st.just("stop")), draw(st.none() | st.integers(0, 99)), tokens,
        draw(st.integers(0, 9)), (), draw(st.booleans()),
    )  # fmt: skip


@st.composite
def load_reports(draw: st.DrawFn) -> LoadReport:
    """Of both kinds."""
    count = draw(st.integers(0, 30))
    found = tuple(draw(samples(index)) for index in range(count))
    arrival = draw(st.booleans())
    keys = draw(st.sets(st.sampled_from(sorted(RESOURCES))))
    resources = {key: value for key, value in draw(st.sampled_from([RESOURCES, NO_GPU])).items() if key in keys}
    itl = Distribution.from_dict(Distribution.of(draw(st.lists(VALUES, max_size=120))).as_dict())
    flight = tuple((number / 4, number % 7) for number in range(draw(st.integers(0, 9))))
    return LoadReport(
        draw(IDS), draw(TIMES), "arrival" if arrival else "load", draw(RATES if arrival else CONFIGS),
        draw(st.sampled_from([ENVIRONMENT, {}])), draw(MS) / 1000, found, itl, resources,
        Arrivals("poisson", 2.5, 2.4, 2.3, draw(st.booleans()), draw(TEXTS), draw(st.booleans()), flight)
        if arrival
        else None,
        draw(st.none() | st.just(Goodput({"ttft_ms": 100.0, "other": 3.0}, 3, 0.3, 0.2))), draw(st.booleans()),
        tuple(draw(st.lists(TEXTS, max_size=2))),
    )  # fmt: skip


@st.composite
def comparisons(draw: st.DrawFn) -> ComparisonReport:
    """Some contestants failed, some loads were not reached, some values are missing."""
    labels = draw(st.lists(TEXTS, max_size=8, unique=True))
    sizes = st.none() | st.integers(0, 10**11)
    contestants = tuple(
        Contestant(
            label, "hf", draw(TEXTS), "", draw(TEXTS), draw(st.dictionaries(TEXTS, TEXTS, max_size=2)),
            draw(st.none() | VALUES), draw(sizes), draw(sizes), draw(sizes), draw(sizes), draw(TEXTS),
            tuple(draw(st.lists(TEXTS, max_size=1))),
        )
        for label in labels
    )  # fmt: skip
    repeats = st.lists(VALUES, max_size=3).map(tuple)
    cells = tuple(
        Cell(label, readers, turns, draw(repeats), draw(repeats), draw(repeats), draw(st.none() | VALUES), 8,
             draw(st.integers(0, 8)))
        for label in labels
        for readers in draw(st.sampled_from([(1,), (1, 8), (1, 8, 32)]))
        for turns in draw(st.sampled_from([(), (1,), (1, 5)]))
    )  # fmt: skip
    why = draw(st.sampled_from(sorted(WHY)))
    values = {name: draw(TEXTS) if name in ("over", "other") else draw(st.integers(1, 99)) for name in WHY[why]}
    return ComparisonReport(
        draw(IDS), draw(TIMES), draw(st.sampled_from(["compare", "tune"])), draw(CONFIGS),
        draw(st.sampled_from([ENVIRONMENT, {}])), contestants, cells,
        Advice(draw(TEXTS), why, values, draw(st.dictionaries(TEXTS, TEXTS, max_size=2))), draw(st.booleans()),
        draw(st.booleans()), tuple(draw(st.lists(TEXTS, max_size=2))),
    )  # fmt: skip


REPORTS = st.one_of(load_reports(), comparisons())
