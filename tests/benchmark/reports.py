"""Reports made by hand, one of each kind, as a small machine with one card would have them.

The numbers are drawn with fixed seeds, so that they are the same every time. Give fields to have others:
``load_report(interrupted=True)``.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from app.benchmark.comparisons.report import Advice, Cell, ComparisonReport, Contestant
from app.benchmark.figures import Distribution
from app.benchmark.loading.report import Arrivals, Goodput, LoadReport
from app.benchmark.notes import note
from app.benchmark.sample import Outcome, Sample

ENVIRONMENT: dict[str, Any] = {
    "processor": "AMD Ryzen 9 7950X", "cores": 16, "machine_cores": 32, "memory": 64_000_000_000,
    "system": "Linux 6.8", "python": "3.11.9",
    "gpus": [{"name": "NVIDIA GeForce RTX 4090", "memory": 25_757_220_864, "driver": "570.124"}],
    "versions": {"hotswap": "1.0.0", "torch": "2.13.0", "transformers": "5.3.0", "vllm": "0.32.0"},
}  # fmt: skip
RESOURCES: dict[str, Any] = {
    "seconds": 31.4, "samples": 251, "hz": 8.0,
    "cpu": {
        "machine_percent": {"n": 251, "min": 12.0, "max": 61.5, "mean": 33.1, "median": 32.0, "p95": 52.2, "p99": 60.1},
        "client_seconds": 2.31, "client_share": 0.074, "client_seconds_per_token": 0.0003,
    },
    "memory": {"machine_used_peak": 21_300_000_000, "machine_total": 64_000_000_000, "client_peak": 180_000_000},
    "gpus": [
        {
            "index": 0, "name": "NVIDIA GeForce RTX 4090",
            "utilization_percent": {
                "n": 251, "min": 0.0, "max": 100.0, "mean": 91.3, "median": 97.0, "p95": 100.0, "p99": 100.0,
            },
            "memory_start": 22_100_000_000, "memory_peak": 22_900_000_000, "memory_total": 25_757_220_864,
            "power_w": {
                "n": 251, "min": 61.0, "max": 402.0, "mean": 331.0, "median": 350.0, "p95": 398.0, "p99": 401.0,
            },
            "temperature_peak_c": 71, "energy_j": 10_393.0, "energy_from": "counter", "joules_per_token": 1.27,
            "throttled": {"sw_power_cap": 0.12},
        }
    ],
    "gpu_note": "",
    "vllm": {
        "kv_cache_use_mean": 0.18, "kv_cache_use_peak": 0.31, "preemptions": 0,
        "prefix_cache": {"queries": 15_360, "hits": 2048, "rate": 0.1333},
        "speculation": {
            "drafts": 3100, "draft_tokens": 12_400, "accepted_tokens": 6820, "acceptance_rate": 0.55,
            "mean_accepted_length": 3.2,
        },
        "prompt_tokens": 15_360, "generation_tokens": 7680, "running_peak": 8, "waiting_peak": 1,
    },
    "vllm_note": "",
}  # fmt: skip
NO_GPU: dict[str, Any] = {
    **RESOURCES,
    "gpus": None,
    "gpu_note": "No NVIDIA driver answers: NVML Shared Library Not Found.",
    "vllm": None,
    "vllm_note": "http://127.0.0.1:8002/metrics tells nothing of vLLM.",
}
TOKENS = 64
CONFIG: dict[str, Any] = {
    "target": "http://127.0.0.1:8002/v1", "model": "qwen3-4b", "api": "chat",
    "prompts": "synthetic, about 128 tokens", "prompt_seed": 0, "max_tokens": TOKENS, "fixed_length": True,
    "temperature": 0.0, "timeout_s": 60.0, "check_tokens": True,
}  # fmt: skip


def load_report(**changes: Any) -> LoadReport:
    """Eight readers, 124 requests; four are the warm-up, five went wrong in three ways."""
    chance = random.Random(7)
    wrong: dict[int, tuple[Outcome, str, str]] = {
        40: ("failed", "http_503", "HTTP 503: the queue is full"),
        41: ("failed", "http_503", "HTTP 503: the queue is full"),
        77: ("failed", "timeout", "Nothing came for 60 seconds."),
        90: ("truncated", "cut", "The stream ended without saying how the answer ended."),
        101: ("duplicated", "extra_tokens", "66 tokens came, and the server counted 64."),
    }
    free = [0.0] * 8
    samples = []
    for index in range(124):
        reader = free.index(min(free))
        ttft, tpot = chance.lognormvariate(-2.9, 0.35), chance.lognormvariate(-3.7, 0.15)
        found = _sample(index, free[reader], 0.0004, ttft, tpot, index >= 4, *wrong.get(index, ("ok", "", "")))
        samples.append(found)
        free[reader] = found.end
    begin = min(sample.scheduled for sample in samples if sample.kept)
    report = LoadReport(
        id="20261203T091500123456-0a1b", at="2026-12-03T09:15:00+00:00", kind="load",
        config={
            **CONFIG, "concurrency": 8, "num_requests": 120, "warm_up_requests": 4,
        },
        environment=ENVIRONMENT, seconds=round(max(free) - begin, 4), samples=tuple(samples),
        itl=_itl(chance, 120 * (TOKENS - 1)), resources=RESOURCES,
        goodput=Goodput({"ttft_ms": 100.0, "tpot_ms": 30.0}, 97, 0.8083, 4.81),
    )  # fmt: skip
    return replace(report, **changes)


def arrival_report(*, saturated: bool = True, **changes: Any) -> LoadReport:
    """Prompts come for half a minute; where that is more than the engine can, the line grows and grows."""
    chance = random.Random(11)
    rate, pace = (8.0, 1.0) if saturated else (3.0, 0.0)
    at, samples = 0.0, []
    while True:
        at = round(at + chance.expovariate(rate), 4)
        if at >= 30:
            break
        ttft = chance.lognormvariate(-2.9, 0.3) + pace * 0.12 * at
        tpot = chance.lognormvariate(-3.9, 0.1)
        samples.append(_sample(len(samples), at, chance.expovariate(700), ttft, tpot, 2 <= at <= 28))
    kept = [sample for sample in samples if sample.kept]
    seconds = round(max(sample.end for sample in kept) - min(sample.scheduled for sample in kept), 4)
    in_flight = [(sample.sent, sum(other.sent <= sample.sent < other.end for other in samples)) for sample in samples]
    report = LoadReport(
        id="20261203T093000123456-1b2c", at="2026-12-03T09:30:00+00:00", kind="arrival",
        config={
            **CONFIG, "process": "poisson", "rate": rate, "duration_s": 30.0, "num_prompts": len(samples),
            "burstiness": None, "seed": 0, "trace": None, "warm_up_s": 2.0, "cool_down_s": 2.0,
            "limits": {"ttft_ms": 500.0, "e2e_ms": 3000.0},
        },
        environment=ENVIRONMENT, seconds=seconds, samples=tuple(samples),
        itl=_itl(chance, len(kept) * (TOKENS - 1)), resources=NO_GPU,
        arrivals=Arrivals(
            "poisson", rate, round(len(kept) / 26, 3), round(len(kept) / seconds, 3), saturated,
            "answers under way rose from 9 to 41 and the first token from 1250 to 2980 ms while prompts came"
            if saturated
            else "",
            True, tuple(in_flight),
        ),
        goodput=Goodput({"ttft_ms": 500.0, "e2e_ms": 3000.0}, 41, round(41 / len(kept), 4), round(41 / seconds, 3)),
    )  # fmt: skip
    return replace(report, **changes)


def compare_report(**changes: Any) -> ComparisonReport:
    """hf, vllm and ollama with 1, 8 and 32 readers, and a server that was not there."""
    chance = random.Random(13)
    contestants = (
        Contestant(
            "hf", "hf", "Qwen3-4B", "sha256:5f2e", "bfloat16", {"HF_MAX_BATCH": "8"}, 11.4,
            1_300_000_000, 1_900_000_000, 8_200_000_000, 9_900_000_000,
            notes=(note("max_batch", readers=32, batch=8),),
        ),
        Contestant(
            "vllm", "vllm", "Qwen3-4B", "sha256:5f2e", "bfloat16", {}, 62.0,
            4_100_000_000, 4_600_000_000, 22_100_000_000, 22_900_000_000,
        ),
        Contestant(
            "ollama", "ollama", "qwen3:4b", "sha256:a3c1", "Q4_K_M", {}, 3.2, None, None, 3_900_000_000, 4_100_000_000,
            notes=(note("free_length", one="ollama"),),
        ),
        Contestant(
            "vllm_openai", "vllm_openai", problem="Nobody answers at http://127.0.0.1:8002/v1.",
        ),
    )  # fmt: skip
    pace = {"hf": (21.0, 95.0, 0.55), "vllm": (38.0, 24.0, 0.93), "ollama": (52.0, 31.0, 0.35)}
    cells = [
        _cell(chance, label, readers, turns, *pace[label])
        for readers in (1, 8, 32)
        for turns in (1, 5)
        for label in pace
    ]
    report = ComparisonReport(
        id="20261203T100000123456-2c3d", at="2026-12-03T10:00:00+00:00", kind="compare",
        config={
            "engines": ["hf", "vllm", "ollama", "vllm_openai"], "readers": [1, 8, 32], "turns": [1, 5], "repeats": 3,
            "max_tokens": 128, "prompts": "questions.jsonl, 40 questions",
        },
        environment=ENVIRONMENT, contestants=contestants, cells=tuple(cells),
        advice=Advice(
            "vllm", "throughput", {"readers": 32, "times": 5.44, "low": 5.1, "high": 5.8, "over": "ollama"},
            {"LLM_ENGINE": "vllm"},
        ),
        interleaved=True,
        notes=(
            note("interleaved"),
            note("formats", one="hf", format="bfloat16", other="ollama", other_format="Q4_K_M"),
        ),
    )  # fmt: skip
    return replace(report, **changes)


def tune_report(**changes: Any) -> ComparisonReport:
    """vLLM with one setting changed at a time: gains, a loss, no difference, and what this machine refuses."""
    chance = random.Random(17)
    settings: dict[str, dict[str, str]] = {
        "vllm": {},
        "prefix caching off": {"enable_prefix_caching": "false"},
        "chunked prefill off": {"enable_chunked_prefill": "false"},
        "n-gram speculation": {"speculative_config": '{"method": "ngram", "num_speculative_tokens": 4}'},
        "max_num_seqs 64": {"max_num_seqs": "64"},
        "kv_cache_dtype fp8": {"kv_cache_dtype": "fp8"},
    }
    gain = {"vllm": 1.0, "prefix caching off": 0.81, "chunked prefill off": 0.99, "n-gram speculation": 1.34,
            "max_num_seqs 64": 1.02}  # fmt: skip
    contestants = tuple(
        Contestant(
            label, "vllm", "Qwen3-4B", "sha256:5f2e", "bfloat16", changed, round(55 + chance.random() * 8, 1),
            4_100_000_000, 4_600_000_000, 22_100_000_000, 22_900_000_000,
        )
        if label in gain
        else Contestant(
            label, "vllm", "Qwen3-4B", settings=changed,
            problem="vLLM: fp8 KV cache wants a card of compute capability 8.9.",
        )
        for label, changed in settings.items()
    )  # fmt: skip
    cells = [
        _cell(chance, label, readers, 1, 38.0 * factor, 24.0, 0.93)
        for readers in (1, 8)
        for label, factor in gain.items()
    ]
    report = ComparisonReport(
        id="20261203T110000123456-3d4e", at="2026-12-03T11:00:00+00:00", kind="tune",
        config={"engine": "vllm", "readers": [1, 8], "turns": [1], "repeats": 3, "max_tokens": 128,
                "prompts": "questions.jsonl, 40 questions"},
        environment=ENVIRONMENT, contestants=contestants, cells=tuple(cells),
        advice=Advice(
            "n-gram speculation", "gain", {"readers": 1, "times": 1.356, "low": 1.275, "high": 1.438},
            {"VLLM_CONFIG": '{"speculative_config": {"method": "ngram", "num_speculative_tokens": 4}}'},
        ),
        interleaved=False, notes=(note("settings_alone"),),
    )  # fmt: skip
    return replace(report, **changes)


def _sample(
    index: int, scheduled: float, lag: float, ttft: float, tpot: float, kept: bool,
    outcome: Outcome = "ok", kind: str = "", error: str = "",
) -> Sample:  # fmt: skip
    """Times in whole milliseconds, as a file has them."""
    scheduled = round(scheduled, 3)
    sent = round(scheduled + lag, 3)
    begun = outcome != "failed"
    first = round(sent + ttft, 3) if begun else None
    last = round(sent + ttft + tpot * (TOKENS - 1), 3) if begun else None
    end = round(sent + ttft, 3) if last is None else last
    return Sample(
        index, f"synthetic-{index:03}", scheduled, sent, first, last, end,
        outcome, error, kind, "length" if outcome == "ok" else None, 128 if begun else None,
        TOKENS if outcome == "ok" else None, TOKENS if begun else 0, (), kept,
    )  # fmt: skip


def _itl(chance: random.Random, count: int) -> Distribution:
    found = Distribution.of([chance.lognormvariate(-3.75, 0.4) * 1000 for _ in range(count)])
    return Distribution.from_dict(found.as_dict())


def _cell(chance: random.Random, label: str, readers: int, turns: int, speed: float, ttft: float, scale: float) -> Cell:
    """``speed`` of one reader in tokens a second; ``scale`` is the exponent with which readers add to it."""
    deeper = 1.0 + 0.04 * (turns - 1)

    def around(value: float, width: float) -> tuple[float, ...]:
        return tuple(round(value * chance.gauss(1, width), 3) for _ in range(3))

    return Cell(
        label, readers, turns, around(speed * readers**scale / deeper, 0.02),
        around(ttft * readers ** (1.1 - scale) * deeper, 0.05), around(1000 / (speed * readers ** (scale - 1)), 0.02),
        128.0, 3 * 2 * readers * turns, 1 if label == "ollama" and readers == 32 else 0,
    )  # fmt: skip
