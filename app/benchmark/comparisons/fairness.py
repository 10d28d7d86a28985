"""What makes a comparison of engines less equal than its figures look, said plainly."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from app.benchmark.engine_target import has_fixed_length
from app.benchmark.notes import note

if TYPE_CHECKING:
    from app.benchmark.comparisons.prompt_source import Prompts
    from app.benchmark.comparisons.report import Contestant
    from app.benchmark.comparisons.seat import Seat


def same_numbers(contestants: Sequence[Contestant]) -> list[str]:
    """Whether all compute the same: weights and number formats, each against the first that was measured."""
    known = [contestant for contestant in contestants if not contestant.problem]
    if len(known) < 2:
        return []
    if known[0].weights and all(one.weights == other.weights for one, other in pairwise(known)):
        notes = [note("same_weights")]
    else:
        notes = [_weights(known[0], other) for other in known[1:] if not known[0].weights or _differ(known[0], other)]
    return notes + _formats(known)


def _differ(one: Contestant, other: Contestant) -> bool:
    return one.weights != other.weights


def _weights(one: Contestant, other: Contestant) -> str:
    """A file of Ollama's has another form, so that its weights cannot be compared with those of a folder."""
    kinds = {contestant.weights.partition(":")[0] for contestant in (one, other)}
    key = "other_weights" if len(kinds) == 1 and kinds != {""} else "unknown_weights"
    return note(key, one=one.label, other=other.label)


def _formats(known: Sequence[Contestant]) -> list[str]:
    unknown = [note("unknown_format", one=contestant.label) for contestant in known if not contestant.dtype]
    telling = [contestant for contestant in known if contestant.dtype]
    first = telling[0] if telling else None
    others = [
        note("formats", one=first.label, format=first.dtype, other=other.label, other_format=other.dtype)
        for other in telling[1:]
        if first and other.dtype != first.dtype
    ]
    return others + unknown


def same_work(contestants: Sequence[Contestant], prompts: Prompts, turns: Sequence[int]) -> list[str]:
    """Whether all read and write equally much: lengths of answers, and what engines remember of prompts."""
    known = [contestant for contestant in contestants if not contestant.problem]
    free = [note("free_length", one=one.label) for one in known if not has_fixed_length(one.engine)]
    remembered = [note("own_prompts" if prompts.own else "unique")]
    return free + remembered + ([note("conversations")] if max(turns, default=1) > 1 else [])


def own_limits(seat: Seat, readers: int) -> list[str]:
    """What an engine's own settings do to so many ``readers``: who has to wait, what is remembered of prompts."""
    if not seat.measured:
        return []
    return _in_line(seat, readers) + _remembering(seat)


def _remembering(seat: Seat) -> list[str]:
    if seat.entrant.name != "vllm":
        return []
    off = seat.entrant.settings.vllm_arguments().get("enable_prefix_caching") is False  # its own default is on
    return [note("prefix_off" if off else "prefix_on")]


def _in_line(seat: Seat, readers: int) -> list[str]:
    settings, name = seat.entrant.settings, seat.entrant.name
    if name == "hf" and settings.hf_draft_model_path:
        return [note("one_at_a_time")] if readers > 1 else []
    if name == "hf" and settings.hf_max_batch < readers:
        return [note("max_batch", readers=readers, batch=settings.hf_max_batch)]
    batch = settings.vllm_arguments().get("max_num_seqs") if name == "vllm" else None
    if batch is not None and int(batch) < readers:
        return [note("max_num_seqs", readers=readers, batch=int(batch))]
    return [note("num_parallel", readers=readers)] if name == "ollama" and readers > 1 else []
