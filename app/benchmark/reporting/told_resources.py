"""What a run took of the machine, in words. Whatever a monitor did not see is left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.benchmark.notes import told
from app.benchmark.reporting.grid import Grid
from app.benchmark.reporting.words import say
from app.sizes import figure, size
from app.text import Language

Row = tuple[str, str]


def resources(seen: dict[str, Any], of: Language) -> Grid:
    """Processors, memory, GPUs, and vLLM's own metrics, or why there are none."""
    rows = [*_machine(seen, of)]
    gpus = seen.get("gpus")
    if gpus:
        for gpu in gpus:
            rows += _gpu(gpu, of)
    else:
        note = seen.get("gpu_note")
        rows.append((say(of, "gpu_name"), told(of, note) if note else say(of, "none_seen")))
    vllm = seen.get("vllm")
    if vllm:
        rows += _vllm(vllm, of)
    if note := seen.get("vllm_note"):  # nothing at all where no vLLM was asked
        rows.append((say(of, "vllm_metrics"), told(of, note)))
    return Grid(say(of, "resources"), (), rows, frozenset({0, 1}))


def _machine(seen: dict[str, Any], of: Language) -> Iterator[Row]:
    cpu, memory = seen.get("cpu") or {}, seen.get("memory") or {}
    if use := _percent(cpu.get("machine_percent"), of, 1):
        yield say(of, "cpu_machine"), use
    parts = []
    if cpu.get("client_seconds") is not None:
        parts.append(say(of, "seconds", seconds=figure(cpu["client_seconds"])))
    if cpu.get("client_share") is not None:
        parts.append(say(of, "of_a_core", share=figure(cpu["client_share"] * 100)))
    if cpu.get("client_seconds_per_token") is not None:
        parts.append(say(of, "ms_per_token", ms=figure(cpu["client_seconds_per_token"] * 1000)))
    if parts:
        yield say(of, "cpu_client"), " · ".join(parts)
    if memory.get("machine_used_peak") is not None:
        yield say(of, "memory_machine"), _part(memory["machine_used_peak"], memory.get("machine_total"), of)
    if memory.get("client_peak") is not None:
        yield say(of, "memory_client"), _part(memory["client_peak"], None, of)


def _gpu(gpu: dict[str, Any], of: Language) -> Iterator[Row]:
    """Its name beside the first of what was seen."""
    lines = [*_gpu_lines(gpu, of)] or [say(of, "none_seen")]
    yield f"GPU {gpu.get('index', '')} {gpu.get('name') or ''}".strip(), lines[0]
    yield from (("", line) for line in lines[1:])


def _gpu_lines(gpu: dict[str, Any], of: Language) -> Iterator[str]:
    if use := _percent(gpu.get("utilization_percent"), of, 1):
        yield say(of, "gpu_use", use=use)
    if gpu.get("memory_peak") is not None:
        yield _part(gpu["memory_peak"], gpu.get("memory_total"), of)
    if (power := gpu.get("power_w")) and power.get("mean") is not None:
        yield say(of, "watts", mean=figure(power["mean"]), max=figure(power["max"]))
    if gpu.get("energy_j") is not None:
        yield _energy(gpu, of)
    if gpu.get("temperature_peak_c") is not None:
        yield say(of, "degrees", degrees=figure(gpu["temperature_peak_c"]))
    for reason, share in (gpu.get("throttled") or {}).items():
        yield say(of, "throttled", reason=reason, share=figure(share * 100))


def _energy(gpu: dict[str, Any], of: Language) -> str:
    each = gpu.get("joules_per_token")
    parts = [say(of, "joules", joules=figure(gpu["energy_j"]))]
    parts += [say(of, "joules_per_token", joules=figure(each))] if each is not None else []
    parts += [say(of, f"energy_from_{gpu['energy_from']}")] if gpu.get("energy_from") in ("counter", "power") else []
    return say(of, "comma").join(parts)


def _vllm(seen: dict[str, Any], of: Language) -> Iterator[Row]:
    if seen.get("kv_cache_use_mean") is not None:
        mean, peak = (seen.get(f"kv_cache_use_{name}") for name in ("mean", "peak"))
        yield say(of, "kv_cache"), _use(mean, peak, of, 100)
    if seen.get("preemptions") is not None:
        yield say(of, "preemptions"), figure(seen["preemptions"])
    if cache := seen.get("prefix_cache"):
        yield (
            say(of, "prefix_cache"),
            say(of, "prefix_hits", rate=_times(cache.get("rate"), 100), queries=figure(cache.get("queries"))),
        )
    if drafts := seen.get("speculation"):
        parts = say(
            of, "accepted", rate=_times(drafts.get("acceptance_rate"), 100), tokens=figure(drafts.get("draft_tokens"))
        )
        if drafts.get("mean_accepted_length") is not None:
            parts += " · " + say(of, "accepted_length", length=figure(drafts["mean_accepted_length"]))
        yield say(of, "speculation"), parts
    if seen.get("prompt_tokens") is not None or seen.get("generation_tokens") is not None:
        prompt, written = figure(seen.get("prompt_tokens")), figure(seen.get("generation_tokens"))
        yield say(of, "vllm_tokens"), say(of, "vllm_counts", prompt=prompt, written=written)
    if seen.get("running_peak") is not None or seen.get("waiting_peak") is not None:
        running, waiting = figure(seen.get("running_peak")), figure(seen.get("waiting_peak"))
        yield say(of, "under_way"), say(of, "running_waiting", running=running, waiting=waiting)


def _percent(found: dict[str, Any] | None, of: Language, times: float) -> str:
    return _use(found.get("mean"), found.get("max"), of, times) if found and found.get("mean") is not None else ""


def _use(mean: float | None, peak: float | None, of: Language, times: float) -> str:
    return say(of, "percent", mean=_times(mean, times), max=_times(peak, times))


def _times(value: float | None, factor: float) -> str:
    return figure(None if value is None else value * factor)


def _part(part: int, whole: int | None, of: Language) -> str:
    if whole is None:
        return say(of, "at_most", part=size(part))
    return say(of, "part_of", part=size(part), whole=size(whole))
