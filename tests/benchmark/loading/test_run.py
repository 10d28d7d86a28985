"""A run from its request to its report, against a server that can fail."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app import benchmark
from app.benchmark.loading.report import LoadReport
from app.benchmark.loading.request import ArrivalRequest, LoadRequest
from app.benchmark.loading.run import arrival, load
from app.benchmark.prompts import PromptSource
from app.config import Settings, load_settings
from app.errors import BenchmarkError, ConfigError, EngineUnavailable, HotswapError
from app.jobs import Cancelled
from app.schema import Progress
from tests.engines.routing.fault_server import MODEL, FaultServer, _send, answer_of

ASKED = PromptSource(kind="prompts", text="Why?\nWho?\n灯塔在哪里？", file="p.txt")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


def test_a_closed_loop_is_told_with_its_counts_and_times(settings: Settings) -> None:
    with FaultServer() as server:
        server.gap = 0.001
        request = LoadRequest(base_url=server.url, concurrency=3, requests=24, warm_up=2, max_tokens=20)
        report = load(request, settings)
        asked = len(server.questions())
    told = report.as_dict()

    assert asked == 26
    assert told["summary"]["total"] == told["summary"]["successful"] == 24
    assert told["summary"]["success_rate"] == 1.0
    assert told["summary"]["successful_rps"] == pytest.approx(24 / told["summary"]["total_time_seconds"], rel=1e-3)
    assert told["tokens"]["output"] == sum(request["output_tokens"] for request in told["requests"]) > 0
    assert set(told["latency_ms"]) == {"n", "min", "max", "mean", "median", "p95", "p99"}
    assert told["latency_ms"]["p95"] is not None and told["latency_ms"]["p99"] is None  # of 24
    assert 0 < told["ttft_ms"]["min"] <= told["latency_ms"]["min"]
    assert told["itl_ms"]["n"] == sum(request["pieces"] - 1 for request in told["requests"])
    assert told["benchmark_config"]["concurrency"] == 3 and told["benchmark_config"]["model"] == MODEL
    assert told["resources"]["cpu"]["client_seconds"] > 0 and told["resources"]["gpus"] is None
    assert LoadReport.from_dict(told).as_dict() == told


def test_from_python_the_fields_of_a_request_are_keywords(settings: Settings) -> None:
    with FaultServer() as server:
        closed = benchmark.load(base_url=server.url, concurrency=2, requests=4, max_tokens=5, settings=settings)
        opened = benchmark.arrival(base_url=server.url, rate=50, count=4, warm_up=0, max_tokens=5, settings=settings)
    with pytest.raises(BenchmarkError, match="0 readers"):
        benchmark.load(concurrency=0)

    assert (closed.kind, closed.summary()["successful"]) == ("load", 4)
    assert (opened.kind, opened.summary()["successful"]) == ("arrival", 4)


def test_each_kind_of_failure_has_a_count_of_its_own(settings: Settings) -> None:
    counts = {}
    with FaultServer() as server:
        for mode in ("500", "eof", "restart"):
            server.mode, server.times = mode, 2
            report = load(LoadRequest(base_url=server.url, requests=6, concurrency=1, prompts=ASKED), settings)
            counts[mode] = report.outcomes()
            assert report.errors()[0]["count"] == 2

    assert counts == {
        "500": {"ok": 4, "failed": 2, "truncated": 0, "duplicated": 0},
        "eof": {"ok": 4, "failed": 0, "truncated": 2, "duplicated": 0},
        "restart": {"ok": 4, "failed": 0, "truncated": 0, "duplicated": 2},
    }


def test_the_right_answer_in_the_prompts_is_held_against_what_came(settings: Settings) -> None:
    text = f'{{"prompt": "Why?", "expected": "{answer_of("Why?")[:-3]}"}}'.replace("\n", "\\n")
    with FaultServer() as server:
        source = PromptSource(kind="prompts", text=text, file="p.jsonl")
        report = load(LoadRequest(base_url=server.url, requests=1, prompts=source, max_tokens=500), settings)

    assert not report.ok


def test_arrivals_are_told_with_their_rate_and_what_did_not_count(settings: Settings) -> None:
    with FaultServer() as server:
        request = ArrivalRequest(
            base_url=server.url, rate=40, duration=1.5, warm_up=0.5, cool_down=0.25, process="constant",
            max_tokens=5, limits={"ttft_ms": 60_000, "e2e_ms": 60_000},
        )  # fmt: skip
        report = arrival(request, settings)
    told = report.as_dict()

    assert told["benchmark_config"]["num_prompts"] == len(report.samples) == 60
    assert told["summary"]["total"] == len(report.kept) == pytest.approx(31, abs=1)
    assert told["arrival"]["sent_rate"] == pytest.approx(40, rel=0.1)
    assert told["goodput"]["share"] == 1.0
    assert told["dispatch_lag_ms"]["n"] == told["summary"]["total"]
    assert all(sample.latency >= sample.service >= 0 for sample in report.samples)
    assert LoadReport.from_dict(told).as_dict() == told


def test_a_server_that_cannot_keep_up_is_told_to_be_over_saturated(settings: Settings) -> None:
    one_at_a_time = threading.Lock()
    with FaultServer() as server:
        usual = server._stream

        async def slow(mode: str, asked: Any, writer: Any) -> None:
            import asyncio

            await asyncio.to_thread(one_at_a_time.acquire)
            await asyncio.sleep(0.03)
            one_at_a_time.release()
            await usual(mode, asked, writer)

        server._stream = slow  # type: ignore[method-assign]
        common: dict[str, Any] = {"base_url": server.url, "max_tokens": 2, "duration": 1.0}
        much = arrival(ArrivalRequest(rate=100, **common), settings)
        little = arrival(ArrivalRequest(rate=12, **{**common, "duration": 2.0}), settings)

    assert much.arrivals is not None and much.arrivals.over_saturated and much.arrivals.why
    assert little.arrivals is not None and not little.arrivals.over_saturated
    assert much.arrivals.answered_rate < 0.7 * much.arrivals.sent_rate


def test_a_recording_is_played_at_its_times(settings: Settings) -> None:
    trace = '{"at": 0, "prompt": "Why?"}\n{"at": 0.1, "prompt": "Who?", "max_tokens": 3}\n{"at": 0.3, "prompt": "So?"}'
    with FaultServer() as server:
        request = ArrivalRequest(base_url=server.url, trace=trace, trace_name="t.jsonl", warm_up=0.0)
        report = arrival(request, settings)
        twice = arrival(replace(request, rate=20 / 3), settings)

    begin = report.samples[0].scheduled
    assert [round(sample.scheduled - begin, 6) for sample in report.samples] == [0.0, 0.1, 0.3]
    assert report.samples[1].output_tokens == 3
    assert report.config["prompts"] == "t.jsonl"
    begin = twice.samples[0].scheduled
    assert [round(sample.scheduled - begin, 6) for sample in twice.samples] == [0.0, 0.1, 0.3]


def test_a_warm_up_that_would_leave_nothing_is_left_out(settings: Settings) -> None:
    with FaultServer() as server:
        report = arrival(ArrivalRequest(base_url=server.url, rate=50, count=3, warm_up=100.0), settings)

    assert len(report.kept) == 3
    assert "left nothing" in " ".join(report.notes)


def test_ctrl_c_keeps_what_came(settings: Settings) -> None:
    with FaultServer() as server:
        server.gap = 0.002

        def press(progress: Progress) -> None:
            if progress.done >= 4:
                os.kill(os.getpid(), signal.SIGINT)

        report = load(LoadRequest(base_url=server.url, concurrency=2, requests=1000), settings, press)

    assert report.interrupted
    assert 4 <= len(report.samples) < 1000
    assert "Stopped after" in report.notes[0]
    assert report.as_dict()["interrupted"] is True


def test_a_cancelled_job_keeps_what_came(settings: Settings) -> None:
    def cancel(progress: Progress) -> None:
        if progress.done >= 2:
            raise Cancelled

    with FaultServer() as server:
        report = arrival(ArrivalRequest(base_url=server.url, rate=20, duration=60), settings, cancel)

    assert report.interrupted
    assert 2 <= len(report.samples) < 100


def test_a_server_without_ignore_eos_is_asked_without_and_said_to_have_none(settings: Settings) -> None:
    with FaultServer() as server:
        usual = server._refusal

        def strict(asked: Any) -> Any:
            if "ignore_eos" in asked.body:
                return 400, {"error": {"message": "Unrecognized request argument supplied: ignore_eos"}}
            return usual(asked)

        server._refusal = strict  # type: ignore[method-assign]
        report = load(LoadRequest(base_url=server.url, requests=9, concurrency=4), settings)

    assert len(report.ok) == 9  # those, too, that were under way when the first was refused
    assert "no ignore_eos" in " ".join(report.notes)


def test_a_server_that_is_down_is_said_before_anything_is_asked(settings: Settings) -> None:
    with FaultServer() as server:
        server.down()
        with pytest.raises(BenchmarkError) as caught:
            load(LoadRequest(base_url=server.url), settings)

    assert server.url in caught.value.message and caught.value.hint


def test_an_unknown_model_is_said_with_those_that_are_served(settings: Settings) -> None:
    with FaultServer() as server, pytest.raises(BenchmarkError) as caught:
        load(LoadRequest(base_url=server.url, model="other"), settings)

    assert "other" in caught.value.message and MODEL in caught.value.hint


def test_of_many_models_some_are_named(settings: Settings) -> None:
    with FaultServer() as server:

        async def many(asked: Any, writer: Any) -> None:
            _send(writer, 200, {"data": [{"id": f"model-{number}"} for number in range(400)]})

        server._reply = many  # type: ignore[method-assign]
        with pytest.raises(BenchmarkError) as caught:
            load(LoadRequest(base_url=server.url, model="other"), settings)

    assert caught.value.hint.endswith("model-9 and 390 more.")


def test_a_server_without_a_list_of_models_is_asked_for_the_one_that_is_named(settings: Settings) -> None:
    with FaultServer() as server:
        usual = server._reply

        async def reply(asked: Any, writer: Any) -> None:
            if asked.path == "/v1/models":
                _send(writer, 404, {"detail": "Not Found"})
            else:
                await usual(asked, writer)

        server._reply = reply  # type: ignore[method-assign]
        with pytest.raises(BenchmarkError, match="--model"):
            load(LoadRequest(base_url=server.url), settings)
        report = load(LoadRequest(base_url=server.url, model=MODEL, requests=1), settings)

    assert len(report.ok) == 1


def test_a_wrong_key_is_said(settings: Settings) -> None:
    with FaultServer() as server:
        server.key = "right"
        with pytest.raises(BenchmarkError, match=r"wants another key.*--api-key"):
            load(LoadRequest(base_url=server.url, model=MODEL, api_key="wrong-one"), settings)
        report = load(LoadRequest(base_url=f" {server.url}/ ", api_key="right", requests=1), settings)

    assert len(report.ok) == 1
    assert "right" not in str(report.as_dict())


def test_a_key_that_the_server_repeats_is_not_in_the_report(settings: Settings) -> None:
    with FaultServer() as server:
        server._refusal = lambda asked: (400, {"error": asked.headers["authorization"]})  # type: ignore[method-assign]
        report = load(LoadRequest(base_url=server.url, api_key="a-secret", requests=1), settings)

    assert report.errors()[0]["error"] == "HTTP 400: Bearer …"


def test_a_warm_up_longer_than_the_file_does_not_use_its_prompts_up(settings: Settings) -> None:
    with FaultServer() as server:
        request = LoadRequest(base_url=server.url, concurrency=1, requests=4, warm_up=5, prompts=ASKED)
        report = load(request, settings)

    assert [sample.prompt for sample in report.samples] == ["3", "1", "2", "3"]


@pytest.mark.parametrize(
    "request_",
    [
        LoadRequest(base_url="http://127.0.0.1:9", concurrency=0),
        LoadRequest(base_url="http://127.0.0.1:9", requests=0),
        LoadRequest(base_url="http://127.0.0.1:9", max_tokens=0),
        LoadRequest(base_url="http://127.0.0.1:9", patience=0),
        LoadRequest(base_url="http://127.0.0.1:9", prompts=PromptSource(kind="prompts", text="", file="p.txt")),
        LoadRequest(base_url="http://127.0.0.1:9", prompts=PromptSource(kind="collection")),
        LoadRequest(base_url="127.0.0.1:9"),
        LoadRequest(base_url="http://127.0.0.1:9"),
        LoadRequest(engine="hf", base_url="http://127.0.0.1:9"),
        LoadRequest(engine="hf", model="other"),
        LoadRequest(engine="extractive"),
        LoadRequest(engine="nothing"),
        LoadRequest(engine="hf=/nowhere/at/all"),
        LoadRequest(),
        LoadRequest(base_url="http://127.0.0.1:9", gpus=("7",)),
    ],
)
def test_what_cannot_be_measured_is_said_with_a_hint(request_: LoadRequest, settings: Settings) -> None:
    with pytest.raises(HotswapError) as caught:
        load(request_, settings)

    assert isinstance(caught.value, BenchmarkError | ConfigError | EngineUnavailable) or caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(
    "more",
    [{"rate": 0.0}, {"rate": 2.0, "duration": 0.0}, {"rate": 2.0}, {}, {"rate": -1.0, "duration": 1.0},
     {"rate": 1.0, "duration": 5.0, "limits": {"speed_ms": 3.0}},
     {"rate": 1.0, "duration": 5.0, "limits": {"ttft_ms": float("inf")}},
     {"rate": 1.0, "duration": 5.0, "warm_up": -1.0},
     {"rate": 0.001, "duration": 0.01}],
)  # fmt: skip
def test_arrivals_that_cannot_be_are_said_with_a_hint(more: dict[str, Any], settings: Settings) -> None:
    with FaultServer() as server, pytest.raises(BenchmarkError) as caught:
        arrival(ArrivalRequest(base_url=server.url, **more), settings)

    assert caught.value.hint
    assert not server.questions()
