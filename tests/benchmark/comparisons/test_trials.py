"""The settings that are tried: one thing changed each, what an engine lacks said by its name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.benchmark.comparisons.entrants import Entrant, entrants
from app.benchmark.comparisons.request import TuneRequest
from app.benchmark.comparisons.trials import TRIALS, trials
from app.config import load_settings
from app.config_method import NGRAM
from app.config_vllm import checked
from app.errors import BenchmarkError, ConfigError


def tried(engine: str, *, draft: str = "", only: tuple[str, ...] = (), **settings: Any) -> list[Entrant]:
    (base,) = entrants((engine,), load_settings(**settings))
    return trials(base, TuneRequest(engine, draft=draft, tries=only, readers=(1, 8)))


def labels(found: list[Entrant]) -> list[str]:
    return [entrant.label for entrant in found]


def test_vllm_has_every_one() -> None:
    found = tried("vllm", draft="/models/small")

    assert labels(found) == [
        "enable_prefix_caching=false", "enable_chunked_prefill=false", "speculative_config=ngram",
        "speculative_config=small", "max_num_seqs=4", "max_num_seqs=8", "max_num_batched_tokens=2048",
        "max_num_batched_tokens=8192", "kv_cache_dtype=fp8",
    ]  # fmt: skip
    assert not any(entrant.problem for entrant in found)


def test_each_changes_one_argument_and_the_lines_to_apply_are_settings() -> None:
    before = load_settings(vllm_config={"dtype": "bfloat16"}).vllm_arguments()
    for entrant in tried("vllm", draft="/models/small", vllm_config={"dtype": "bfloat16"}):
        after = entrant.settings.vllm_arguments()
        changed = {name for name in {**before, **after} if before.get(name) != after.get(name)}
        assert len(changed) == 1 and set(entrant.shown) == changed
        lines = {
            name.lower(): json.loads(value) if name == "VLLM_CONFIG" else value for name, value in entrant.apply.items()
        }
        assert load_settings(**{"vllm_config": {"dtype": "bfloat16"}, **lines}).vllm_arguments() == after


def test_what_is_set_already_is_turned_round() -> None:
    config = {"enable_prefix_caching": False, "speculative_config": NGRAM, "kv_cache_dtype": "fp8", "max_num_seqs": 8}
    found = tried("vllm", vllm_config=config)

    assert labels(found)[:3] == [
        "enable_prefix_caching=true", "enable_chunked_prefill=false", "speculative_config=none"
    ]  # fmt: skip
    assert found[2].settings.vllm_arguments().get("speculative_config") is None
    assert "max_num_seqs=8" not in labels(found) and "kv_cache_dtype=auto" in labels(found)


def test_speculation_by_inference_method_is_turned_off_as_well() -> None:
    (entrant,) = tried("vllm", only=("ngram",), inference_method="speculative")

    assert entrant.label == "speculative_config=none"
    assert entrant.settings.vllm_arguments().get("speculative_config") is None
    assert entrant.apply["INFERENCE_METHOD"] == ""


def test_hf_tries_its_own_ways_and_says_what_it_lacks() -> None:
    found = tried("hf", draft="/models/small")

    assert [entrant.label for entrant in found if not entrant.problem] == [
        "HF_DRAFT_MODEL_PATH=small", "HF_MAX_BATCH=4"
    ]  # fmt: skip
    problems = {entrant.label: entrant.problem for entrant in found if entrant.problem}
    assert problems == {
        "prefix-caching": "hf has no prefix caching.",
        "chunked-prefill": "In hf, chunked prefill is fixed.",
        "ngram": "hf has no n-gram speculation here; it speculates with a draft model: give one with --draft.",
        "max-num-batched-tokens": "In hf, how many tokens a step reads is fixed.",
        "kv-cache-dtype": "hf has no KV cache quantization.",
    }


@pytest.mark.parametrize("engine", ["hf", "vllm"])
def test_a_draft_that_is_not_named_is_asked_for(engine: str) -> None:
    (entrant,) = tried(engine, only=("draft",))

    assert entrant.problem == "This wants a draft model: give one with --draft."


def test_a_draft_that_is_set_is_left_out() -> None:
    (entrant,) = tried("hf", only=("draft",), hf_draft_model_path="/models/small")

    assert (entrant.settings.hf_draft_model_path, entrant.label) == ("", "HF_DRAFT_MODEL_PATH=")


@pytest.mark.parametrize(("engine", "setting"), [("ollama", "OLLAMA_NUM_PARALLEL"), ("vllm_openai", "--max-num-seqs")])
def test_of_a_server_its_own_settings_are_named(engine: str, setting: str) -> None:
    found = tried(engine, draft="x")

    assert labels(found) == list(TRIALS) and all(entrant.problem for entrant in found)
    assert any(setting in entrant.problem for entrant in found)
    assert ("no setting" in found[0].problem) is (engine == "ollama")


def test_only_those_that_are_named_are_tried() -> None:
    assert labels(tried("vllm", only=("kv-cache-dtype", "ngram"))) == ["speculative_config=ngram", "kv_cache_dtype=fp8"]
    with pytest.raises(BenchmarkError, match="'luck' cannot be tried"):
        tried("vllm", only=("luck",))


def test_vllm_knows_the_names() -> None:
    for entrant in tried("vllm", draft="/models/small"):
        assert checked(entrant.settings.vllm_config) == entrant.settings.vllm_config


def test_entrants_are_told_apart_by_their_models() -> None:
    settings = load_settings()

    assert [e.label for e in entrants(("hf", "vllm"), settings)] == ["hf", "vllm"]
    assert [e.label for e in entrants(("hf", "hf=/models/a", "vllm=b/c"), settings)] == ["hf", "hf a", "vllm"]
    assert [e.label for e in entrants(("hf=/x/a", "hf=/y/a"), settings)] == ["hf /x/a", "hf /y/a"]
    assert entrants(("ollama=qwen3:8b",), settings)[0].apply == {"LLM_ENGINE": "ollama", "MODEL": "qwen3:8b"}
    with pytest.raises(ConfigError):
        entrants(("nobody",), settings)
