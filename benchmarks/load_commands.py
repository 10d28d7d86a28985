"""What benchmarks/load_clients.py tells each load generator to do, and where its report has the figures.

Their words differ, which their sources tell (vLLM 0.32 ``vllm/benchmarks``, GuideLLM 0.8 ``guidellm/schemas/base``,
``guidellm/backends/openai``):

- time to the first token: ours and vLLM's from before the request is written, GuideLLM's from when its headers are. To
  the first piece with text; in vLLM's to the first event, which tells the role and comes with the first token.
- time for each further token, (last - first) / (tokens - 1): "TPOT" with us and vLLM, "inter token latency" in
  GuideLLM, whose own "time per output token" has the time to the first token in it.
- tokens: all three take the server's usage.
- requests a second: requests by seconds, and so with vLLM. GuideLLM's mean of them counts the times between the ends,
  of which there are as many less one; it is counted here from its requests and its duration. (Of a schedule, its
  report leaves out the last request.)
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_LEAD = 3.0
"""Seconds before the first of GuideLLM's requests, which it cannot send on time while it still takes them in."""
_WORDS = "lighthouse island harbour storm winter keeper tower stone glass lamp light night oil sea ship".split()


@dataclass(frozen=True)
class Load:
    """``readers`` who always ask, or a prompt at each of ``times`` (seconds; the first at 0), drawn by ``seed``."""

    name: str
    prompts: Path
    count: int
    readers: int | None = None
    times: tuple[float, ...] = ()
    rate: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Server:
    """``tokenizer``: the folder of one, which the two others want."""

    url: str
    model: str
    tokenizer: Path


@dataclass(frozen=True)
class Figures:
    """What a load generator reports. ``lags_ms``: how late each request was sent, where there was a time for it."""

    requests_per_second: float
    tokens_per_second: float
    ttft_ms: float
    tpot_ms: float
    failed: int
    lags_ms: tuple[float, ...] = ()


def poisson(rate: float, count: int, seed: int) -> tuple[float, ...]:
    """The times at which vLLM's generator sends with this seed (its ``get_request``), from the first on.

    It cannot be given times for the chat API; the two others can.
    """
    lot = np.random.RandomState(seed)
    times = np.cumsum([lot.gamma(shape=1.0, scale=1 / rate) for _ in range(count)])
    times = times * (count / rate / times[-1])
    return tuple(float(when - times[0]) for when in times)


def write_prompts(path: Path, count: int, words: int, tokens: int, times: Sequence[float] = ()) -> None:
    """A file that all three read, each its own names. Every prompt begins with a number of its own.

    Each answer has a length of its own, ``tokens`` on the average: with one length for all, readers fall into step, and
    then the time to the first token is a matter of who sends its eight questions within the same step of the engine.
    """
    lot = random.Random(count)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            length = lot.randint(tokens - tokens // 2, tokens + tokens // 2)
            line: dict[str, Any] = {
                "prompt": " ".join([f"{number:06d}", *lot.choices(_WORDS, k=words)]),
                **dict.fromkeys(("max_tokens", "output_tokens", "output_tokens_count"), length),
            }
            if times:
                line |= {"at": times[number], "relative_timestamp": times[number] + _LEAD}
            file.write(json.dumps(line) + "\n")


def _ours(load: Load, server: Server, report: Path) -> list[str]:
    same = ["--base-url", server.url, "--model", server.model, "--json", "--no-keep"]
    if load.readers:
        return ["bench", "load", *same, "-c", str(load.readers), "-n", str(load.count), "--prompts", str(load.prompts)]
    return ["bench", "arrival", *same, "--trace", str(load.prompts), "--warmup", "0"]


def _vllm(load: Load, server: Server, report: Path) -> list[str]:
    pace = ["--max-concurrency", str(load.readers)] if load.readers else ["--request-rate", str(load.rate)]
    return [
        "--backend", "openai-chat", "--base-url", server.url, "--endpoint", "/v1/chat/completions",
        "--model", server.model, "--served-model-name", server.model, "--tokenizer", str(server.tokenizer),
        "--dataset-name", "custom", "--dataset-path", str(load.prompts), "--skip-chat-template", "--disable-shuffle",
        "--num-prompts", str(load.count), "--custom-output-len", "-1", "--ignore-eos",
        "--temperature", "0", "--seed", str(load.seed), "--disable-tqdm", *pace,
        "--save-result", "--save-detailed", "--result-filename", str(report),
    ]  # fmt: skip


def _guidellm(load: Load, server: Server, report: Path) -> list[str]:
    # By itself it has the server count with each token and draw each by chance, work that the others do not ask for.
    body = "extras.body.stream_options.continuous_usage_stats=false,extras.body.temperature=0.0"
    backend = f"kind=openai_http,target={server.url},model={server.model},{body}"
    return [
        "run", "--backend", backend,
        "--profile", f"kind=concurrent,streams={load.readers}" if load.readers else "kind=replay",
        *(["--constraint", f"kind=max_requests,count={load.count}"] if load.readers else []),
        "--data", f"kind=json_file,path={load.prompts}", "--tokenizer", f"kind=hf_auto,model={server.tokenizer}",
        "--output", f"kind=json,path={report}", "--disable-console",
    ]  # fmt: skip


def _read_ours(data: dict[str, Any], load: Load) -> Figures:
    summary = data["summary"]
    lags = tuple(one["lag_ms"] for one in data["requests"])
    return Figures(
        summary["successful_rps"], data["tokens"]["output_per_second"], data["ttft_ms"]["median"],
        data["tpot_ms"]["median"], summary["total"] - summary["successful"], lags if load.times else (),
    )  # fmt: skip


def _read_vllm(data: dict[str, Any], load: Load) -> Figures:
    late = [start - when for start, when in zip(data["start_times"], load.times, strict=False)]
    return Figures(
        data["request_throughput"], data["output_throughput"], data["median_ttft_ms"], data["median_tpot_ms"],
        data["failed"], tuple((each - min(late)) * 1000 for each in late),
    )  # fmt: skip


def _read_guidellm(data: dict[str, Any], load: Load) -> Figures:
    run = data["benchmarks"][0]
    done, metrics, seconds = run["requests"]["successful"], run["metrics"], run["duration"]
    lags = tuple(one["request_dispatch_delay"] * 1000 for one in done)
    return Figures(
        len(done) / seconds, sum(one["output_tokens"] for one in done) / seconds,
        metrics["time_to_first_token_ms"]["successful"]["median"],
        metrics["inter_token_latency_ms"]["successful"]["median"],
        len(run["requests"]["errored"]) + len(run["requests"]["incomplete"]), lags if load.times else (),
    )  # fmt: skip


@dataclass(frozen=True)
class Pace:
    """Of a real server in a run, by its own count: the means until the first token and for each further one."""

    ttft_ms: float
    tpot_ms: float


@dataclass(frozen=True)
class Generator:
    """``prints``: whether its report is what it prints; otherwise it writes the file that it is told."""

    arguments: Callable[[Load, Server, Path], list[str]]
    read: Callable[[dict[str, Any], Load], Figures]
    prints: bool = False


GENERATORS = {
    "ours": Generator(_ours, _read_ours, prints=True),
    "vllm": Generator(_vllm, _read_vllm),
    "guidellm": Generator(_guidellm, _read_guidellm),
}
