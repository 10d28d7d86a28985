"""What is told of a comparison: facts, tables, and the advice, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.benchmark.comparisons.report import Cell, ComparisonReport, Contestant, SpeedUp
from app.benchmark.figures import Spread
from app.benchmark.notes import told
from app.benchmark.reporting.grid import NOTHING, Grid
from app.benchmark.reporting.words import counted, say
from app.sizes import figure, size
from app.text import Language


def done(report: ComparisonReport, of: Language) -> Iterator[str]:
    """What was asked, in short."""
    if "repeats" in report.config:
        yield counted(of, "repeats", report.config["repeats"])
    yield from how(report, of)
    yield say(of, "interleaved" if report.interleaved else "in_turn")


def how(report: ComparisonReport, of: Language) -> tuple[str, ...]:
    """How long answers are, and the prompts: what must be alike in runs that are compared."""
    config = report.config
    length = say(of, "tokens_long", count=config["max_tokens"]) if "max_tokens" in config else ""
    prompts = config.get("prompts")
    return length, told(of, prompts) if isinstance(prompts, str) else ""


def notes(report: ComparisonReport, of: Language) -> Iterator[str]:
    """Of the whole, then of each contestant."""
    yield from (told(of, line) for line in report.notes)
    for contestant in report.contestants:
        for line in contestant.notes:
            yield say(of, "of_contestant", label=contestant.label, line=told(of, line))


def grids(report: ComparisonReport, of: Language) -> Iterator[Grid]:
    """Speed under each load, memory, and who was not measured."""
    for turns in lengths(report):
        yield _speeds(report, turns, of)
    measured = [contestant for contestant in report.contestants if not contestant.problem]
    if measured:
        yield _loading(report, measured, of)
    problems = [contestant for contestant in report.contestants if contestant.problem]
    if problems:
        heads = [_who(report, of), say(of, "model"), say(of, "why")]
        rows = [[one.label, one.model, told(of, one.problem)] for one in problems]
        yield Grid(say(of, "not_measured"), heads, rows, frozenset({0, 1, 2})).tidy()


def lengths(report: ComparisonReport) -> list[int]:
    """How many turns conversations had, in order."""
    return sorted({cell.turns for cell in report.cells})


def turns_name(turns: int, of: Language) -> str:
    """``Single questions``, ``Conversations of 5 turns``."""
    return counted(of, "turns", turns)


def _who(report: ComparisonReport, of: Language) -> str:
    return say(of, "setting" if report.kind == "tune" else "contestant")


def _speeds(report: ComparisonReport, turns: int, of: Language) -> Grid:
    cells = sorted((cell for cell in report.cells if cell.turns == turns), key=lambda cell: cell.readers)
    ups = {(up.label, up.readers): up for up in report.speed_ups() if up.turns == turns}
    failures = any(cell.failed for cell in cells)
    heads = [_who(report, of), say(of, "readers_head"), say(of, "speed"), say(of, "ttft_head"), say(of, "tpot_head"),
             say(of, "answer_tokens")]  # fmt: skip
    heads += [say(of, "failed_head")] if failures else []
    heads.append(say(of, "gain" if report.kind == "tune" else "speed_up"))
    rows, tones = [], []
    for cell in cells:
        up = ups.get((cell.label, cell.readers))
        row = [cell.label, f"{cell.readers:,}", _spread(cell, "tokens_per_second"), _spread(cell, "ttft_ms"),
               _spread(cell, "tpot_ms"), figure(cell.output_tokens)]  # fmt: skip
        row += [say(of, "failed_of", failed=cell.failed, asked=cell.asked) if cell.failed else "0"] if failures else []
        rows.append([*row, _against(report, cell, up, of)])
        tones.append("" if up is None or not up.real else "better" if up.ratio.mean > 1 else "worse")
    return Grid(turns_name(turns, of), heads, rows, tones=tones).tidy()


def _spread(cell: Cell, name: str) -> str:
    """The mean and half the width of its interval."""
    found = cell.spread(name)
    if found is None:
        return NOTHING
    if found.high is None:
        return figure(found.mean)
    return f"{figure(found.mean)} ± {figure(float(f'{found.high - found.mean:.2g}'))}"


def _against(report: ComparisonReport, cell: Cell, up: SpeedUp | None, of: Language) -> str:
    if cell.label == report.contestants[0].label:
        return say(of, "baseline")
    return NOTHING if up is None else times(up.ratio, up.real, of)


def times(ratio: Spread, real: bool, of: Language) -> str:
    """``1.79 × (1.66 – 1.91)``, and whether that is a difference."""
    mean = f"{ratio.mean:.2f} ×"
    if ratio.low is None or ratio.high is None:
        return say(of, "one_repeat", times=mean)
    return say(
        of, "difference" if real else "no_difference", times=mean, low=f"{ratio.low:.2f}", high=f"{ratio.high:.2f}"
    )


def _loading(report: ComparisonReport, measured: Sequence[Contestant], of: Language) -> Grid:
    tuned = report.kind == "tune"
    heads = [_who(report, of), say(of, "changed" if tuned else "model"), say(of, "numbers"), say(of, "load_seconds"),
             say(of, "ram_loaded"), say(of, "ram_peak"), say(of, "gpu_loaded"), say(of, "gpu_peak")]  # fmt: skip
    rows = [
        [
            one.label, settings(one) if tuned else one.model, one.dtype,
            NOTHING if one.load_seconds is None else say(of, "seconds", seconds=figure(one.load_seconds)),
            *(NOTHING if size_ is None else size(size_)
              for size_ in (one.ram_loaded, one.ram_peak, one.gpu_loaded, one.gpu_peak)),
        ]
        for one in measured
    ]  # fmt: skip
    return Grid(say(of, "loading"), heads, rows, frozenset({0, 1, 2})).tidy()


def settings(contestant: Contestant) -> str:
    """``max_num_seqs=64``."""
    return " ".join(f"{name}={value}" for name, value in contestant.settings.items())
