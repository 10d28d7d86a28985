"""vLLM's engine arguments: which there are, and what they may hold. The list itself is tests/tools' affair."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import Settings
from app.config_engines import VLLM_OVERRIDES
from app.config_errors import bounds
from app.config_vllm import checked, known
from app.config_vllm_profiles import PROFILES

ARGUMENTS = known()["arguments"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {}),
        ({"max_model_len": 8192}, {"max_model_len": 8192}),
        ({"--max-model-len": "8192"}, {"max_model_len": 8192}),
        ({" Max-Model-Len ": 8192.0}, {"max_model_len": 8192}),
        ({"max_model_len": "8k"}, {"max_model_len": 8000}),
        ({"max_model_len": "8K"}, {"max_model_len": 8192}),
        ({"max_model_len": "25.6k"}, {"max_model_len": 25600}),
        ({"max_model_len": "AUTO"}, {"max_model_len": -1}),
        ({"max_model_len": -1}, {"max_model_len": -1}),
        ({"max_model_len": None}, {"max_model_len": None}),
        ({"gpu_memory_utilization": " 0.9 "}, {"gpu_memory_utilization": 0.9}),
        ({"gpu_memory_utilization": 1}, {"gpu_memory_utilization": 1.0}),
        ({"enforce_eager": "true"}, {"enforce_eager": True}),
        ({"enforce_eager": 0}, {"enforce_eager": False}),
        ({"enable_prefix_caching": "No"}, {"enable_prefix_caching": False}),
        ({"dtype": "BFloat16"}, {"dtype": "bfloat16"}),
        ({"attention_backend": "flashinfer"}, {"attention_backend": "FLASHINFER"}),
        ({"optimization_level": "2"}, {"optimization_level": 2}),
        ({"distributed_executor_backend": "ray"}, {"distributed_executor_backend": "ray"}),
        ({"distributed_executor_backend": "my.own.Executor"}, {"distributed_executor_backend": "my.own.Executor"}),
        ({"limit_mm_per_prompt": {"image": 2}}, {"limit_mm_per_prompt": {"image": 2}}),
        ({"limit_mm_per_prompt": '{"image": 2}'}, {"limit_mm_per_prompt": {"image": 2}}),
        ({"cudagraph_capture_sizes": "[1, 2]"}, {"cudagraph_capture_sizes": [1, 2]}),
        ({"ignore_patterns": "original/**"}, {"ignore_patterns": "original/**"}),
        ({"ignore_patterns": ["a", "b"]}, {"ignore_patterns": ["a", "b"]}),
        ({"tokenizer": "org/name"}, {"tokenizer": "org/name"}),
        ({"max-num-seqs": 1, "max_num_seqs": 2}, {"max_num_seqs": 2}),  # the file's, then the environment's
    ],
)
def test_values_are_brought_to_what_vllm_takes(config: dict[str, Any], expected: dict[str, Any]) -> None:
    found = checked(config)

    assert found == expected
    assert [type(value) for value in found.values()] == [type(value) for value in expected.values()]
    assert checked(found) == found


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"max_model_length": 1},
            "has max_model_length, which is no engine argument of vLLM 0.32.0 (did you mean max_model_len?)",
        ),
        (
            {"gpu-memory-utilisation": 0.9},
            "has gpu_memory_utilisation, which is no engine argument of vLLM 0.32.0"
            " (did you mean gpu_memory_utilization?)",
        ),
        ({"swap_space": 4}, "has swap_space, which is no engine argument of vLLM 0.32.0"),
        ({"": 4}, "has , which is no engine argument of vLLM 0.32.0"),
        ({"_api_process_count": 2}, "has _api_process_count, which is no engine argument of vLLM 0.32.0"),
        ({"model": "org/name"}, "has model, which is a setting of its own; set VLLM_MODEL_PATH instead"),
        ({"api-key": "geheim"}, "has api_key, which is a setting of its own; set VLLM_API_KEY instead"),
        ({"hf_token": "geheim"}, "has hf_token, which is a secret; set HF_TOKEN in the environment instead"),
        ({"port": 1}, "has port, which is an option of a vLLM server and not of its engine; give it to that server"),
        (
            {"served_model_name": "x"},
            "has served_model_name, which is an option of a vLLM server and not of its engine; give it to that server",
        ),
        ({"max_model_len": "abc"}, "has max_model_len 'abc', but must have a whole number of 1 or more (or auto)"),
        ({"max_model_len": 0}, "has max_model_len 0, but must have a whole number of 1 or more (or auto)"),
        ({"max_model_len": True}, "has max_model_len True, but must have a whole number of 1 or more (or auto)"),
        ({"max_num_seqs": 1.5}, "has max_num_seqs 1.5, but must have a whole number of 1 or more"),
        ({"max_num_seqs": [4]}, "has max_num_seqs [4], but must have a whole number of 1 or more"),
        ({"tensor_parallel_size": 0}, "has tensor_parallel_size 0, but must have a whole number of 1 or more"),
        (
            {"gpu_memory_utilization": 90},
            "has gpu_memory_utilization 90, but must have a number above 0 and at most 1",
        ),
        (
            {"gpu_memory_utilization": 1.5},
            "has gpu_memory_utilization 1.5, but must have a number above 0 and at most 1",
        ),
        ({"gpu_memory_utilization": float("nan")}, "has gpu_memory_utilization nan, but must have a number above"),
        ({"watermark": 1}, "has watermark 1, but must have a number of 0.0 or more and below 1.0"),
        ({"enforce_eager": "perhaps"}, "has enforce_eager 'perhaps', but must have true or false"),
        ({"tokenizer": 5}, "has tokenizer 5, but must have text (in quotes, where it looks like a number)"),
        (
            {"speculative_config": "ngram"},
            "has speculative_config 'ngram', but must have names with values, as in {name: value}",
        ),
        ({"speculative_config": "[1"}, "has speculative_config '[1', but must have names with values"),
        ({"cudagraph_capture_sizes": 4}, "has cudagraph_capture_sizes 4, but must have a list, as in [one, two]"),
        ({"dtype": "bf16"}, "has dtype 'bf16', which vLLM 0.32.0 does not know (did you mean bfloat16?)"),
        (
            {"dtype": "int4"},
            "has dtype 'int4', which vLLM 0.32.0 does not know"
            " (there are auto, bfloat16, float, float16, float32, half)",
        ),
        (
            {"quantization": "squeezellm"},
            "has quantization 'squeezellm', which vLLM 0.32.0 does not know; use awq, gptq or fp8",
        ),
        ({"quantization": "gguf"}, "has quantization 'gguf', which vLLM 0.32.0 does not know; Ollama runs GGUF files"),
        (
            {"quantization": "compressed_tensors"},
            "has quantization 'compressed_tensors', which vLLM 0.32.0 does not know (did you mean compressed-tensors?)",
        ),
        (
            {"load_format": "safetensor"},
            "has load_format 'safetensor', which vLLM 0.32.0 does not know (did you mean safetensors?)",
        ),
        ({"dtype": {"a": 1}}, "has dtype {'a': 1}, which vLLM 0.32.0 does not know (there are "),
    ],
)
def test_what_vllm_would_refuse_is_told_before(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        checked(config)

    assert str(caught.value).startswith(message)
    assert "geheim" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_every_wrong_one_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"^has max_seqs, which .* and has dtype 1, which .* and has seed 'x', but "):
        checked({"max_seqs": 1, "dtype": 1, "seed": "x", "max_num_seqs": 8})


@pytest.mark.parametrize("name", ["hf_overrides", "additional_config", "model_loader_extra_config"])
def test_a_secret_inside_a_value_is_not_repeated(name: str) -> None:
    with pytest.raises(ValueError) as caught:
        checked({name: "token=geheim"})

    assert "geheim" not in str(caught.value)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("9" * 400),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(sorted(ARGUMENTS)) | st.text(max_size=30), values)
def test_anything_is_either_taken_or_told_in_one_line(name: str, value: object) -> None:
    try:
        found = checked({name: value})
    except ValueError as error:
        assert str(error).startswith("has ")
        assert "\n" not in str(error)
    else:
        assert checked(found) == found
        json.dumps(found)  # it can be handed to another process


@given(st.sampled_from(sorted(name for name in ARGUMENTS if "values" in ARGUMENTS[name])), st.data())
def test_every_word_of_vllm_is_taken_in_any_case(name: str, data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(ARGUMENTS[name]["values"]))

    assert checked({name: str(word).swapcase()}) == {name: word}


def test_every_word_is_spelt_in_one_way() -> None:
    for name, argument in ARGUMENTS.items():
        words = [str(word).casefold() for word in argument.get("values", ())]
        assert len(words) == len(set(words)), name


def test_the_settings_of_single_arguments_allow_what_vllm_does() -> None:
    for name in VLLM_OVERRIDES:
        field, argument = Settings.model_fields[f"vllm_{name}"], ARGUMENTS[name]
        kind = get_args(field.annotation)[0]
        rules = {
            rule: getattr(item, rule)
            for item in field.metadata
            for rule in ("ge", "gt", "le", "lt")
            if hasattr(item, rule)
        }

        assert bounds(rules) == bounds(argument)
        assert (
            list(get_args(kind)) == argument["values"] if "values" in argument else [kind.__name__] == argument["kinds"]
        )


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_vllm_takes_every_value_of_a_profile(profile: Any) -> None:
    values = {argument.name: argument.value for argument in profile.arguments}

    assert checked(values) == values
    assert len(values) == len(profile.arguments)
