"""What benchmarks/load_clients.py takes from the reports of others, and its server with a set pace."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.load_commands import GENERATORS, Figures, Load, Pace, Server, poisson, write_prompts
from benchmarks.load_parts import Counted
from benchmarks.load_tables import Run, print_agreement, print_cost
from benchmarks.paced_server import MODEL, PacedServer, Watch

RECORDINGS = Path(__file__).with_name("recordings") / "vllm-0.32"
LOAD = Load("arrivals", Path("prompts.jsonl"), 3, times=(0.0, 1.0, 2.0), rate=1.0)
REPORTS: dict[str, dict[str, Any]] = {
    "ours": {
        "summary": {"successful_rps": 1.5, "total": 3, "successful": 3}, "tokens": {"output_per_second": 15.0},
        "ttft_ms": {"median": 20.0}, "tpot_ms": {"median": 5.0},
        "requests": [{"lag_ms": 0.0}, {"lag_ms": 2.0}, {"lag_ms": 1.0}],
    },
    "vllm": {
        "request_throughput": 1.5, "output_throughput": 15.0, "median_ttft_ms": 20.0, "median_tpot_ms": 5.0,
        "failed": 0, "start_times": [100.0, 101.002, 102.001],
    },
    "guidellm": {"benchmarks": [{
        "duration": 2.0,
        "requests": {
            "errored": [], "incomplete": [],
            "successful": [{"output_tokens": 10, "request_dispatch_delay": late} for late in (0, 2e-3, 1e-3)],
        },
        # Its requests a second leave one out, and its time per output token has the time to the first in it.
        "metrics": {"requests_per_second": {"successful": {"mean": 1.0}},
                    "time_per_output_token_ms": {"successful": {"median": 7.0}},
                    "time_to_first_token_ms": {"successful": {"median": 20.0}},
                    "inter_token_latency_ms": {"successful": {"median": 5.0}}},
    }]},
}  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
def test_the_same_run_has_the_same_figures_in_each_report(name: str) -> None:
    found = GENERATORS[name].read(REPORTS[name], LOAD)
    assert (found.requests_per_second, found.tokens_per_second, found.ttft_ms, found.tpot_ms, found.failed) == (
        1.5, 15.0, 20.0, 5.0, 0,
    )  # fmt: skip
    assert found.lags_ms == pytest.approx((0.0, 2.0, 1.0))


def test_all_ask_the_same_prompts_at_the_same_times(tmp_path: Path) -> None:
    times = poisson(4.0, 8, 0)
    assert times[0] == 0 and list(times) == sorted(times) and times == poisson(4.0, 8, 0) != poisson(4.0, 8, 1)
    write_prompts(tmp_path / "prompts.jsonl", 8, 5, 64, times)
    lines = [json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text().splitlines()]
    assert [line["at"] for line in lines] == list(times) and len({line["prompt"].split()[0] for line in lines}) == 8
    for line in lines:
        assert line["max_tokens"] == line["output_tokens"] == line["output_tokens_count"] >= 32
    load = Load("x", tmp_path / "prompts.jsonl", 8, times=times, rate=4.0, seed=7)
    for generator in GENERATORS.values():
        command = generator.arguments(load, Server("http://127.0.0.1:1", "m", tmp_path), tmp_path / "report.json")
        assert any(str(tmp_path / "prompts.jsonl") in argument for argument in command)


def runs(ttft: float, cpu: float, lag: float = 0.0) -> list[Run]:
    seen = {"cpu": cpu, "tokens": 1000, "seconds": 1.0, "most": 4, "late_p99_ms": 0.1}
    return [Run(Figures(2.0, 20.0, ttft, 5.0, 0, (lag,)), seen=seen, arrived_ms=(lag,))]


def real(requests: float, ttft: float, pace: Pace, *, lags: tuple[float, ...] = (), failed: int = 0) -> list[Run]:
    return [Run(Figures(requests, requests * 10, ttft, pace.tpot_ms, failed, lags), pace)]


def test_the_servers_own_pace_is_read_from_its_metrics() -> None:
    """120 first tokens in 31.271 s after 80 in 26.736, 4,701 further ones in 47.322 s after 2,583 in 26.899."""
    begin, end = (Counted.of((RECORDINGS / f"{name}.txt").read_text()) for name in ("begin", "end"))
    pace = end.since(begin)
    assert (round(pace.ttft_ms, 3), round(pace.tpot_ms, 3)) == (113.375, 9.643)


def test_a_server_that_was_slower_meanwhile_is_no_difference_between_clients() -> None:
    slow, fast = Pace(ttft_ms=60, tpot_ms=10), Pace(ttft_ms=30, tpot_ms=5)

    assert all(goal.met for goal in print_agreement("readers", {"ours": real(1, 60, slow), "vllm": real(2, 30, fast)}))
    idle = print_agreement("readers", {"ours": real(1, 60, slow), "vllm": real(1.8, 30, fast)})
    assert [goal.met for goal in idle[:2]] == [False, False]  # its readers had pauses
    # Arrivals come when they come: half as many are half as many.
    goals = print_agreement("a rate", {"ours": real(1, 60, slow, lags=(0,)), "vllm": real(2, 30, fast, lags=(0,))})
    assert [goal.met for goal in goals] == [False, False, True, True, True]


def test_goals_are_met_or_missed(capsys: pytest.CaptureFixture[str]) -> None:
    pace = Pace(ttft_ms=100, tpot_ms=5)
    measured = {"ours": real(2, 100, pace), "vllm": real(2, 109, pace), "guidellm": real(2, 120, pace, failed=1)}
    goals = print_agreement("8 readers", measured)
    assert [goal.words for goal in goals if not goal.met] == [
        "8 readers: first token, of the server's mean : guidellm's is 0.833 (1 ± 0.1)",
        "8 readers: guidellm 1 failed",
    ]
    assert "| first token, ms, median | 100 | 109 | 120 |" in capsys.readouterr().out
    goals = print_cost("many", {"ours": runs(100, 0.09, 6.0), "vllm": runs(100, 0.1), "guidellm": runs(100, 0.08)})
    assert [goal.met for goal in goals] == [True, False, False]
    assert "| µs of CPU for a token | 90 [90, 90] | 100 [100, 100] | 80 [80, 80] |" in capsys.readouterr().out


@pytest.fixture
def paced() -> Iterator[PacedServer]:
    server = PacedServer(os.sched_getaffinity(0))
    yield server
    server.close()


def test_the_paced_server_streams_what_is_asked_and_tells_what_it_saw(paced: PacedServer) -> None:
    paced.watch(Watch(os.getpid(), first=0.01, gap=0.001))
    with urllib.request.urlopen(f"{paced.url}/v1/models") as reply:
        assert json.load(reply)["data"][0]["id"] == MODEL
    asked = {"messages": [{"role": "user", "content": "000007 storm"}], "max_tokens": 5}
    body = urllib.request.Request(f"{paced.url}/v1/chat/completions", json.dumps(asked).encode())
    with urllib.request.urlopen(body) as reply:
        events = [line.removeprefix(b"data: ").strip() for line in reply if line.strip()]
    *said, usage, done = events
    assert done == b"[DONE]" and json.loads(usage)["usage"]["completion_tokens"] == 5
    choices = [json.loads(event)["choices"][0] for event in said]
    assert [choice["delta"]["content"] for choice in choices] == ["", *[" lighthouse"] * 5]
    assert [choice["finish_reason"] for choice in choices] == [*[None] * 5, "length"]
    seen = paced.seen()
    assert (list(seen["came"]), seen["tokens"], seen["most"]) == ([7], 5, 1) and seen["seconds"] >= 0.014
