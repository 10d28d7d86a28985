"""Which files of a model are fetched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.errors import ModelUnusable, UsageError
from app.models.selection import check_index, check_names, is_small, select
from app.models.sources.base import Listing, RemoteFile


def listing(*paths: str) -> Listing:
    return Listing("org/model", "abc", tuple(RemoteFile(path, 10) for path in sorted(paths)))


def chosen(*paths: str, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> set[str]:
    return {file.path for file in select(listing(*paths), include, exclude)}


PLAIN = ("config.json", "model.safetensors", "tokenizer.json")


@pytest.mark.parametrize(
    "left",
    [
        "pytorch_model.bin", "pytorch_model.bin.index.json", "model.gguf", "onnx/model.onnx", "tf_model.h5", "f.ot",
        "original/consolidated.00.pth", "consolidated.safetensors", "consolidated.safetensors.index.json", "a/b.png",
        ".gitattributes", "training_args.bin", ".hotswap/manifest.json", ".Hotswap/lock", "openvino/openvino_model.bin",
    ],
)  # fmt: skip
def test_what_no_engine_reads_stays_there(left: str) -> None:
    assert chosen(*PLAIN, left) == set(PLAIN)


@pytest.mark.parametrize(
    "taken",
    [
        "README.md", "modeling_x.py", "tokenizer.model", "chat_template.jinja", "1_Pooling/config.json", "merges.txt",
        "2_Dense/pytorch_model.bin", "2_Dense/model.safetensors", "preprocessor_config.json",
        "model.safetensors.index.json",
    ],
)  # fmt: skip
def test_what_an_engine_may_read_comes(taken: str) -> None:
    assert taken in chosen(*PLAIN, taken)


def test_mistrals_own_format_comes_where_there_is_no_other() -> None:
    own = {"params.json", "tekken.json", "consolidated.safetensors", "consolidated.safetensors.index.json"}
    assert chosen(*own) == own


def test_patterns_match_whole_paths_and_folders() -> None:
    paths = (*PLAIN, "onnx/a/model.onnx", "onnx/note.txt")
    assert chosen(*paths, include=("onnx/",)) == {"onnx/a/model.onnx", "onnx/note.txt"}
    assert chosen(*paths, include=("*.json",), exclude=("token*",)) == {"config.json"}
    assert chosen(*paths, exclude=("*.safetensors",)) == {"config.json", "tokenizer.json"}
    with pytest.raises(UsageError, match=r"it has config\.json"):
        chosen(*paths, include=("*.CONFIG",))


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (("config.json", "tokenizer.json"), "no weights"),
        (("adapter_config.json", "adapter_model.safetensors"), "LoRA adapter"),
        (("config.json", "model.bin", "tokenizer.json"), "pickled"),
        (("config.json", "model.safetensors"), "no tokenizer"),
        (("model.safetensors", "tokenizer.json"), "no config.json"),
        (("a/config.json", "a/model.safetensors", "a/tokenizer.json"), "no config.json"),
        ((*PLAIN, "model-00002-of-00003.safetensors"), "lacks 2 of its weight files"),
    ],
)
def test_the_names_alone_tell_what_cannot_work(paths: tuple[str, ...], words: str) -> None:
    files = listing(*paths).files
    with pytest.raises(ModelUnusable, match=words):
        check_names("org/model", files, files, allow_pickle=False)


def test_pickled_weights_are_taken_where_they_are_allowed() -> None:
    files = listing("config.json", "pytorch_model.bin", "vocab.json", "merges.txt").files
    check_names("org/model", files, files, allow_pickle=True)


def test_what_sentence_transformers_puts_together_needs_no_configuration_of_its_own() -> None:
    files = listing("modules.json", "0_StaticEmbedding/model.safetensors", "0_StaticEmbedding/tokenizer.json").files
    check_names("org/model", files, files, allow_pickle=False)


@pytest.mark.parametrize("content", ["{}", "no json", '{"weight_map": {"a": 1}}'])
def test_an_index_that_names_nothing_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ModelUnusable):
        check_index("org/model", listing("model.safetensors.index.json").files, tmp_path.joinpath)


def test_an_index_in_a_folder_names_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part/model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "one.safetensors"}}))
    files = listing("part/model.safetensors.index.json", "part/one.safetensors").files
    check_index("org/model", files, tmp_path.joinpath)
    with pytest.raises(ModelUnusable, match="part/one"):
        check_index("org/model", files[:1], tmp_path.joinpath)


def test_configuration_comes_first_and_weights_never_do() -> None:
    assert is_small(RemoteFile("tokenizer.json", 3_000_000)) and is_small(RemoteFile("a", None))
    assert not is_small(RemoteFile("model.safetensors", 10)) and not is_small(RemoteFile("vocab.txt", 5_000_000))
