"""The HTTP API beside the bare model server: answers a second, and what the API adds to each.

    python benchmarks/api.py [--readers 1 8 32] [--seconds 5] [--rounds 3] [--question TEXT] [--json]

A mock server writes a whole answer at once, so that all the time that passes is the API's own: the guard, the search,
the prompt, the route and the stream. Readers ask it directly and through the API, by turns; each asks the next question
when it has its answer. Most of the time is the search's, and most of that the embedding of the question; a question in
Chinese, which the packaged embedding model does not know, is searched by its words alone and shows the rest. Medians
over the rounds; memory is that of the server's process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.routing_parts import servers  # noqa: E402
from tests.api.parts import ENGLISH, chat, give_documents  # noqa: E402
from tests.api.readers import Asking, keep_asking  # noqa: E402
from tests.engines.routing.fault_server import MODEL  # noqa: E402
from tests.product import Server, server  # noqa: E402


def measured(got: Asking, seconds: float) -> dict[str, float]:
    """One round: answers a second, and milliseconds to the first and the last word."""
    refused = sum(got.statuses.values()) - len(got.whole)
    if refused:
        raise SystemExit(f"{refused} questions were refused: {dict(got.statuses)}")
    return {
        "answers_per_second": len(got.whole) / seconds,
        "first_ms": statistics.median(got.first) * 1000,
        "whole_ms": statistics.median(got.whole) * 1000,
        "p99_ms": sorted(got.whole)[int(len(got.whole) * 0.99)] * 1000,
    }


def rounds(
    upstream: str, running: Server, question: str, readers: int, seconds: float, count: int
) -> dict[str, dict[str, float]]:
    """Both of them by turns; the medians."""
    told: dict[str, list[dict[str, float]]] = {"server": [], "api": []}
    for _ in range(count):
        for name, url, model in (("server", upstream, MODEL), ("api", f"{running.url}/v1", "hotswap")):
            got = asyncio.run(keep_asking(url, {**chat(question), "model": model}, seconds, readers))
            told[name].append(measured(got, seconds))
    return {
        name: {key: statistics.median(one[key] for one in found) for key in found[0]} for name, found in told.items()
    }


def run(folder: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    with servers(1) as (upstream,):
        how = {
            "LLM_ENGINE": "vllm_openai", "VLLM_BASE_URL": upstream.url, "VLLM_MODEL": MODEL, "STRICTNESS": "0",
            "MAX_CONCURRENT_TASKS": "64", "MAX_QUEUED_TASKS": "1000",
        }  # fmt: skip
        with server(folder / "state", "--no-page", **how) as running:
            give_documents(running.url)
            rounds(upstream.url, running, args.question, 4, 1.0, 1)  # whatever is loaded once is loaded
            process, table = psutil.Process(running.pid), []
            for readers in args.readers:
                found = rounds(upstream.url, running, args.question, readers, args.seconds, args.rounds)
                table.append({"readers": readers, **found, "rss_mb": process.memory_info().rss / 1e6})
            return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--question", default=ENGLISH)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = run(Path(folder), args)
    if args.json:
        print(json.dumps(table))
        return
    print("readers | answers/s bare, API | first word ms bare, API | whole ms bare, API | p99 ms bare, API | RSS MB")
    for row in table:
        bare, api = row["server"], row["api"]
        pairs = [f"{bare[key]:9.1f} {api[key]:9.1f}" for key in bare]
        print(f"{row['readers']:7} | " + " | ".join(pairs) + f" | {row['rss_mb']:.0f}")


if __name__ == "__main__":
    main()
