"""What is read of a model, and every way in which its folder can be less than whole."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

import app.models as door
from app.errors import ModelDamaged
from app.models.attention import KVLayers
from app.models.facts import ModelFacts, inspect
from tests.models.known import LLAMA_3_8B
from tests.models.parts import ONE, POINTER, model, safetensors

NO_TOKENIZER = {"tokenizer.json": None, "tokenizer_config.json": None}


def complaint(folder: Path) -> ModelDamaged:
    with pytest.raises(ModelDamaged) as caught:
        inspect(folder)
    assert caught.value.hint
    return caught.value


def changed(tmp_path: Path, config: dict[str, Any], **files: Any) -> ModelFacts:
    return inspect(model(tmp_path / "m", LLAMA_3_8B | config, files))


def test_the_facts_of_a_whole_model(tmp_path: Path) -> None:
    folder = model(tmp_path / "Meta-Llama-3-8B")

    assert inspect(folder) == ModelFacts(
        folder=folder,
        name="Meta-Llama-3-8B",
        architecture="LlamaForCausalLM",
        model_type="llama",
        weight_bytes=len(ONE),
        parameters=24,
        dtype="bfloat16",
        layers=32,
        heads=32,
        kv_heads=8,
        head_dim=128,
        context_length=8192,
        vocab_size=128256,
        quantization=None,
        has_chat_template=True,
        pickled=False,
        kv=(KVLayers(32, 2048, None),),
    )
    assert door.inspect is inspect


def test_a_folder_in_a_hub_cache_has_the_name_of_the_hub(tmp_path: Path) -> None:
    folder = model(tmp_path / "models--Qwen--Qwen2.5-7B--x" / "snapshots" / "0a1b")

    assert inspect(folder).name == "Qwen/Qwen2.5-7B--x"


def test_a_config_that_tells_nothing_is_still_a_model(tmp_path: Path) -> None:
    facts = inspect(model(tmp_path / "m", {}, {"tokenizer_config.json": None}))

    assert (facts.architecture, facts.model_type, facts.layers, facts.context_length) == ("", "", None, None)
    assert (facts.vocab_size, facts.has_chat_template, facts.kv) == (None, False, ())


def test_the_language_model_of_one_that_sees_is_the_one_described(tmp_path: Path) -> None:
    config = {"architectures": ["SomeVLM"], "model_type": "vlm", "hidden_size": 99, "text_config": LLAMA_3_8B}

    facts = inspect(model(tmp_path / "m", config))

    assert (facts.architecture, facts.model_type) == ("SomeVLM", "vlm")
    assert (facts.context_length, facts.vocab_size, facts.layers, facts.head_dim) == (8192, 128256, 32, 128)


def test_a_language_model_two_floors_down_is_found(tmp_path: Path) -> None:
    facts = inspect(model(tmp_path / "m", {"thinker_config": {"text_config": LLAMA_3_8B}}))

    assert facts.context_length == 8192


@pytest.mark.parametrize(
    ("config", "tokenizer", "length"),
    [
        ({"max_position_embeddings": 4096}, {}, 4096),
        ({"max_position_embeddings": 4096}, {"model_max_length": 2048}, 2048),
        ({"max_position_embeddings": 4096}, {"model_max_length": 10**30}, 4096),
        ({"max_position_embeddings": 4096}, {"model_max_length": 1e30}, 4096),
        ({}, {"model_max_length": 10**30}, None),
        ({"n_positions": 1024}, {}, 1024),
        ({"seq_length": 8192, "max_position_embeddings": 32768}, {}, 8192),
        ({"max_position_embeddings": 8192, "model_max_length": 131072}, {}, 131072),
        ({"max_position_embeddings": -1}, {}, None),
        ({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}}, {"model_max_length": 10**30}, 131072),
    ],
)
def test_the_context_by_the_names_it_has(
    tmp_path: Path, config: dict[str, Any], tokenizer: dict[str, Any], length: int | None
) -> None:
    folder = model(tmp_path / "m", config, {"tokenizer_config.json": json.dumps(tokenizer)})

    assert inspect(folder).context_length == length


@pytest.mark.parametrize(
    ("config", "method"),
    [
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "awq"),
        ({"quantization_config": {"quant_method": "MXFP4"}}, "mxfp4"),
        ({"text_config": {"quantization_config": {"quant_method": "fp8"}}}, "fp8"),
        ({"compression_config": {"quant_method": "compressed-tensors"}}, "compressed-tensors"),
        ({"quantization_config": None}, None),
        ({"quantization_config": {}}, None),
    ],
)
def test_the_method_of_quantization(tmp_path: Path, config: dict[str, Any], method: str | None) -> None:
    assert changed(tmp_path, config).quantization == method


def test_half_quantized_weights_do_not_mislead_about_the_context(tmp_path: Path) -> None:
    """Layer 0 was left whole; the packed ones look like layers without attention."""
    weights = safetensors({"model.layers.0.self_attn.k_proj.weight": ("F16", [4, 4])})

    facts = changed(tmp_path, {"quantization_config": {"quant_method": "awq"}}, **{"model.safetensors": weights})

    assert facts.kv == (KVLayers(32, 2048, None),)


@pytest.mark.parametrize(
    ("files", "has"),
    [
        ({"tokenizer_config.json": "{}"}, False),
        ({"tokenizer_config.json": '{"chat_template": null}'}, False),
        ({"tokenizer_config.json": '{"chat_template": [{"name": "default", "template": "x"}]}'}, True),
        ({"tokenizer_config.json": None, "chat_template.jinja": "x"}, True),
        ({"tokenizer_config.json": "{}", "chat_template.json": '{"chat_template": "x"}'}, True),
    ],
)
def test_a_chat_template_lies_in_one_of_three_places(tmp_path: Path, files: dict[str, str | None], has: bool) -> None:
    assert inspect(model(tmp_path / "m", files=files)).has_chat_template is has


def test_pickled_weights_leave_the_type_to_the_config(tmp_path: Path) -> None:
    facts = changed(tmp_path, {"torch_dtype": "torch.half"}, **{"model.safetensors": None, "pytorch_model.bin": b"x"})

    assert (facts.pickled, facts.dtype, facts.parameters) == (True, "float16", None)


@pytest.mark.parametrize(
    "files",
    [
        ["tokenizer.model"],
        ["vocab.json", "merges.txt"],
        ["tekken.json"],
        ["spiece.model"],
        ["sentencepiece.bpe.model"],
        ["tokenizer.model.v3"],
        ["qwen.tiktoken"],
        ["vocab.txt"],
    ],
    ids=" ".join,
)
def test_every_kind_of_tokenizer_is_one(tmp_path: Path, files: list[str]) -> None:
    inspect(model(tmp_path / "m", files={**NO_TOKENIZER, **dict.fromkeys(files, "x")}))


def test_a_tokenizer_of_its_own_code_may_have_any_files(tmp_path: Path) -> None:
    own = {"tokenizer.json": None, "tokenizer_config.json": '{"auto_map": {"AutoTokenizer": ["x.X", null]}}'}

    assert not inspect(model(tmp_path / "m", files=own)).has_chat_template


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.json": None}, "config.json of m cannot be read: No such file or directory."),
        ({"config.json": ""}, "config.json of m is empty."),
        ({"config.json": '{"a": '}, "config.json of m is no JSON."),
        ({"config.json": b"\xff\xfe\xff"}, "config.json of m is no JSON."),
        ({"config.json": "[" * 100_000}, "config.json of m is no JSON."),
        ({"config.json": "[]"}, "config.json of m holds no JSON object."),
        ({"config.json": POINTER}, "config.json of m is a Git LFS pointer"),
        (NO_TOKENIZER, "m has no tokenizer. Download or copy the whole model"),
        ({**NO_TOKENIZER, "merges.txt": "x"}, "m has no tokenizer."),
        ({**NO_TOKENIZER, "merges.txt": "x", "vocab.json": ""}, "vocab.json of m is empty."),
        ({"tokenizer.json": ""}, "tokenizer.json of m is empty."),
        ({"tokenizer.json": POINTER}, "tokenizer.json of m is a Git LFS pointer"),
        ({"tokenizer.json": '{"model": {"vocab": {"a": 1, "b'}, "tokenizer.json of m is cut off."),
        ({"tokenizer.json": "<html></html>"}, "tokenizer.json of m holds no JSON object."),
        ({"tokenizer.model": POINTER}, "tokenizer.model of m is a Git LFS pointer"),
        ({"tokenizer_config.json": "{"}, "tokenizer_config.json of m is no JSON."),
        ({"model.safetensors": ONE[:-1]}, "model.safetensors of m is cut off: it has"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, files: dict[str, Any], words: str) -> None:
    assert words in str(complaint(model(tmp_path / "m", files=files)))


def test_a_folder_that_is_gone_is_said_so(tmp_path: Path) -> None:
    assert "cannot be read" in complaint(tmp_path / "gone").message


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", files={"config.json": b"\xef\xbb\xbf" + json.dumps(LLAMA_3_8B).encode()})

    assert inspect(folder).layers == 32


def test_two_hundred_shards_are_read_in_a_moment(tmp_path: Path) -> None:
    """Three seconds are generous: it takes a tenth of one."""
    names = [f"model-{number:05d}-of-00200.safetensors" for number in range(1, 201)]
    parts = {
        name: safetensors({f"model.layers.{shard}.experts.{i}.w.weight": ("F16", [2]) for i in range(40)})
        for shard, name in enumerate(names)
    }
    index = {f"model.layers.{shard}.experts.{i}.w.weight": name for shard, name in enumerate(names) for i in range(40)}
    folder = model(
        tmp_path / "m",
        files={"model.safetensors": None, **parts, "model.safetensors.index.json": json.dumps({"weight_map": index})},
    )

    start = time.perf_counter()
    facts = inspect(folder)

    assert facts.parameters == 16_000
    assert time.perf_counter() - start < 3
