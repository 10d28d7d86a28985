"""Which files are a model's weights, and every way in which they can be less than whole."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from app.errors import ModelDamaged
from app.models.weights import read_weights, weight_files
from tests.models.parts import ONE, POINTER, model, safetensors, shards

NONE = {"model.safetensors": None}


def complaint(folder: Path) -> ModelDamaged:
    with pytest.raises(ModelDamaged) as caught:
        read_weights(folder)
    assert caught.value.hint
    return caught.value


def zipped() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", bytes(1000))
    return archive.getvalue()


def test_the_shards_that_the_index_names_are_the_weights(tmp_path: Path) -> None:
    folder = model(
        tmp_path / "m", files={**NONE, **shards(3), "consolidated.safetensors": ONE, "stray.safetensors": ONE}
    )

    weights = read_weights(folder)

    assert [path.name for path in weight_files(folder)] == sorted(set(shards(3)) - {"model.safetensors.index.json"})
    assert weights.size == sum(len(data) for name, data in shards(3).items() if name.endswith(".safetensors"))
    assert (weights.parameters, weights.dtype, weights.pickled) == (18, "float16", False)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["model.safetensors"], ["model.safetensors"]),
        (["model.safetensors", "pytorch_model.bin"], ["model.safetensors"]),
        (["model.safetensors", "consolidated.safetensors", "adapter_model.safetensors"], ["model.safetensors"]),
        (["consolidated.safetensors"], ["consolidated.safetensors"]),
        (["a-00001-of-00002.safetensors", "a-00002-of-00002.safetensors"], None),
        (["a-00000-of-00002.safetensors", "a-00001-of-00002.safetensors"], None),
        (["pytorch_model.bin", "training_args.bin", "optimizer.pt"], ["pytorch_model.bin"]),
        (["model.pt"], ["model.pt"]),
        (["consolidated.00.pth"], ["consolidated.00.pth"]),
    ],
)
def test_files_that_only_look_like_weights_are_left_out(
    tmp_path: Path, files: list[str], found: list[str] | None
) -> None:
    folder = model(tmp_path / "m", files={**NONE, **dict.fromkeys(files, ONE)})

    assert [path.name for path in weight_files(folder)] == (found or files)


def test_pickled_weights_are_weighed_but_not_looked_into(tmp_path: Path) -> None:
    weights = read_weights(model(tmp_path / "m", files={**NONE, "pytorch_model.bin": zipped()}))

    assert (weights.size, weights.pickled, weights.parameters, weights.dtype) == (len(zipped()), True, None, None)


def test_numbers_packed_into_one_another_are_not_counted(tmp_path: Path) -> None:
    packed = safetensors({"qweight": ("I32", [64]), "scales": ("F16", [8])})

    weights = read_weights(model(tmp_path / "m", files={"model.safetensors": packed}))

    assert (weights.dtype, weights.parameters) == ("int32", None)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    error = complaint(model(tmp_path / "qwen", files={**NONE, **shards(3, of=8)}))

    assert error.message == (
        "qwen lacks 5 of its 8 weight files: model-00004-of-00008.safetensors, "
        "model-00005-of-00008.safetensors, model-00006-of-00008.safetensors, …."
    )
    assert error.hint == f"Download or copy the whole model to {tmp_path / 'qwen'} again."


def test_a_missing_shard_is_noticed_without_an_index(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", files={**NONE, **shards(1, of=2), "model.safetensors.index.json": None})

    assert "lacks 1 of its 2 weight files: model-00002-of-00002.safetensors." in complaint(folder).message


def test_a_link_that_leads_nowhere_is_a_missing_shard(tmp_path: Path) -> None:
    folder = model(tmp_path / "models--org--name" / "snapshots" / "abc", files={**NONE, **shards(1, of=2)})
    (folder / "model-00002-of-00002.safetensors").symlink_to(tmp_path / "blobs" / "gone")

    error = complaint(folder)

    assert error.message == "org/name lacks 1 of its 2 weight files: model-00002-of-00002.safetensors."
    assert error.hint == "Fetch it again with `python download_model.py org/name`."


def test_a_damaged_file_in_the_cache_is_fetched_again_alone(tmp_path: Path) -> None:
    folder = model(tmp_path / "models--org--name" / "snapshots" / "abc", files={"model.safetensors": ONE[:-1]})

    error = complaint(folder)

    assert error.message.startswith("model.safetensors of org/name is cut off")
    assert error.hint == "Fetch it again with `python download_model.py org/name`."


def test_a_pointer_of_git_lfs_says_how_to_get_the_file(tmp_path: Path) -> None:
    error = complaint(model(tmp_path / "m", files={"model.safetensors": POINTER}))

    assert error.message == "model.safetensors of m is a Git LFS pointer, not the file itself."
    assert error.hint == f"Run `git lfs pull` in {tmp_path / 'm'}."


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "m has no weights."),
        ({"model.Q4_K_M.gguf": b"GGUF"}, "m has GGUF weights and no safetensors. Use Ollama for GGUF"),
        ({"tf_model.h5": b"x"}, "m has TensorFlow weights and no safetensors."),
        ({"model.safetensors": b""}, "model.safetensors of m is empty."),
        ({"model.safetensors": safetensors({})}, "model.safetensors of m holds no weights."),
        ({"pytorch_model.bin": b""}, "pytorch_model.bin of m is empty."),
        ({"pytorch_model.bin": POINTER}, "is a Git LFS pointer"),
        ({"pytorch_model.bin": zipped()[:-100]}, "pytorch_model.bin of m is cut off."),
        ({"model.safetensors.index.json": b"{"}, "model.safetensors.index.json of m is no JSON."),
        ({"model.safetensors.index.json": b"[]"}, "model.safetensors.index.json of m holds no JSON object."),
        ({"model.safetensors.index.json": b"{}"}, "model.safetensors.index.json of m names no weights."),
        ({"model.safetensors.index.json": b'{"weight_map": {"a": 1}}'}, "names no weights."),
        ({"pytorch_model.bin.index.json": b'{"weight_map": {"a": "x.bin"}}'}, "lacks 1 of its 1 weight files: x.bin."),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    assert words in str(complaint(model(tmp_path / "m", files={**NONE, **files})))
