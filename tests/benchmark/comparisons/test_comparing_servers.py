"""Comparisons with servers: Ollama by its recordings, an OpenAI-compatible server that can be made to fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.benchmark.comparisons.comparing import Surroundings, compare
from app.benchmark.comparisons.identity import identify
from app.benchmark.comparisons.report import ComparisonReport
from app.benchmark.comparisons.request import CompareRequest
from app.benchmark.notes import note
from app.benchmark.prompts import PromptSource
from app.config import Settings, load_settings
from app.engines.registry import create
from app.models import fingerprint
from tests.benchmark.engines import GB, FakeGauge, Machine
from tests.engines.routing.fault_server import FaultServer
from tests.engines.servers import Server, json_reply, recorded

SIZE = 6899628  # bytes that Ollama says of the model "tiny"


def against_hf(settings: Settings, engine: str) -> ComparisonReport:
    machine = Machine()

    def make(name: str, of: Settings) -> Any:
        return machine.make(name, of) if name == "hf" else create(name, of)

    request = CompareRequest(
        ("hf", engine), readers=(1, 2), turns=(1,), repeats=2, max_tokens=4, requests=2, prompts=PromptSource(tokens=20)
    )
    return compare(request, Surroundings(settings, make=make, gauge=FakeGauge(machine)))


def test_ollama_is_told_apart_by_its_digest_its_numbers_and_its_memory() -> None:
    looks_before = ["ps_empty_or_others"] * 3  # twice whether all fit into memory, once whether it is there already
    with Server(recorded("tags", "chat_load_only", "chat_stream_warm", *looks_before, "ps_loaded")) as server:
        report = against_hf(load_settings(ollama_base_url=server.url, model="tiny"), "ollama")
        asked = [request.body for request in server.asked("POST /api/chat")]

    _, ollama = report.contestants
    assert (ollama.problem, ollama.model, ollama.dtype) == ("", "tiny:latest", "F16")
    assert ollama.weights.startswith("ollama:") and len(ollama.weights) > 15
    assert (ollama.ram_loaded, ollama.gpu_loaded) == (SIZE, 0)
    assert ollama.load_seconds is not None
    assert note("unknown_weights", one="hf", other="ollama") in report.notes
    assert note("formats", one="hf", format="bfloat16", other="ollama", other_format="F16") in report.notes
    assert note("free_length", one="ollama") in report.notes
    assert note("num_parallel", readers=2) in ollama.notes
    assert asked[-1] == {"model": "tiny", "messages": [], "keep_alive": 0}, "what was loaded for this is unloaded"
    assert all(body["options"]["temperature"] == 0 for body in asked if body["messages"])
    cell = next(cell for cell in report.cells if cell.label == "ollama")
    assert cell.failed == 0 and cell.output_tokens is not None and len(cell.tokens_per_second) == 2


def test_a_model_that_others_have_loaded_stays_and_its_loading_is_not_told() -> None:
    with Server(recorded("tags", "chat_load_only", "chat_stream_warm", "ps_loaded")) as server:
        report = against_hf(load_settings(ollama_base_url=server.url, model="tiny"), "ollama")
        asked = [request.body for request in server.asked("POST /api/chat")]

    ollama = report.contestants[1]
    assert ollama.load_seconds is None and note("there_already") in ollama.notes
    assert all(body.get("keep_alive") != 0 for body in asked)


def test_what_ollama_leaves_to_the_processor_is_told() -> None:
    replies = recorded("tags", "chat_load_only", "chat_stream_warm")
    held = {"name": "tiny:latest", "size": 4 * GB, "size_vram": 3 * GB}
    with Server({**replies, "GET /api/ps": json_reply(200, {"models": [held]})}) as server:
        report = against_hf(load_settings(ollama_base_url=server.url, model="tiny"), "ollama")

    assert note("partly_on_cpu", share=25) in report.contestants[1].notes
    assert (report.contestants[1].ram_loaded, report.contestants[1].gpu_loaded) == (GB, 3 * GB)


def test_a_model_that_ollama_has_not_is_said_and_the_others_go_on() -> None:
    with Server(recorded("tags", "chat_stream_warm")) as server:
        report = against_hf(load_settings(ollama_base_url=server.url), "ollama=nobody:70b")

    assert "nobody:70b" in report.contestants[1].problem
    assert (report.advice.label, report.advice.why) == ("hf", "only_one")


@pytest.mark.parametrize("mode", ["500", "empty"])
def test_a_server_whose_answers_fail_is_not_recommended(mode: str) -> None:
    with FaultServer() as server:
        settings = load_settings(vllm_base_url=server.url, llm={"params": {"max_retries": 0}})
        ready = server.mode

        def breaking(progress: Any) -> None:
            server.mode = mode if progress.stage == "measuring" and progress.done >= 2 else ready

        report = _watched(settings, breaking)

    served = report.contestants[1]
    assert served.problem or any(cell.failed for cell in report.cells if cell.label == "vllm_openai")
    assert report.advice.label == "hf"
    assert note("servers_memory") in served.notes


def _watched(settings: Settings, on_progress: Callable[[Any], None]) -> ComparisonReport:
    machine = Machine()

    def make(name: str, of: Settings) -> Any:
        return machine.make(name, of) if name == "hf" else create(name, of)

    request = CompareRequest(
        ("hf", "vllm_openai"), readers=(1,), turns=(1,), repeats=3, max_tokens=4, requests=2,
        prompts=PromptSource(tokens=20),
    )  # fmt: skip
    return compare(request, Surroundings(settings, make=make, gauge=FakeGauge(machine)), on_progress)


def test_the_weights_of_a_server_on_this_machine_are_looked_at_where_it_says_what_it_loaded(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\1" * 100)
    listed = {"data": [{"id": "m", "root": str(tmp_path), "max_model_len": 2048}]}
    with Server({"GET /v1/models": json_reply(200, listed)}) as server:
        found = identify("vllm_openai", "m", load_settings(vllm_base_url=f"{server.url}/v1"))

    assert found.weights == f"files:{fingerprint(tmp_path)}"
    assert identify("vllm_openai", "m", load_settings(vllm_base_url="http://127.0.0.1:9/v1")).weights == ""
