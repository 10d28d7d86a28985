"""From what a user writes to the folder of a model on this disk, or to the words that help."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.errors import ModelMissing
from app.models.hub_cache import cache_folder
from app.models.local import find
from tests.models.parts import ONE, cached, model, shards


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache of this test alone; the test runs in a folder beside it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def complaint(name: str) -> ModelMissing:
    with pytest.raises(ModelMissing) as caught:
        find(name)
    assert caught.value.hint
    return caught.value


# Folders


def test_a_folder_is_found_by_its_path(tmp_path: Path) -> None:
    folder = model(tmp_path / "模型 one")

    assert find(str(folder)) == folder
    assert find(f"  {folder}/\n") == folder
    assert find("../模型 one") == folder


def test_a_folder_below_the_home_is_found(tmp_path: Path) -> None:
    folder = model(tmp_path / "qwen")

    assert find("~/qwen") == folder


def test_a_folder_wins_over_the_hub_model_of_the_same_name(cache: Path) -> None:
    cached(cache, "org/name", "abc")
    folder = model(Path("org/name"))

    assert find("org/name") == folder.absolute()


@pytest.mark.parametrize("name", ["", "  ", "\n"])
def test_no_name_says_which_setting_to_set(name: str) -> None:
    with pytest.raises(ModelMissing) as caught:
        find(name, setting="HF_MODEL_PATH")

    assert caught.value.message == "No model is set."
    assert caught.value.hint == "Set HF_MODEL_PATH to a model's folder or hub id, such as Qwen/Qwen3-8B."


def test_a_misspelt_folder_is_told_its_neighbour(tmp_path: Path) -> None:
    model(tmp_path / "models" / "Qwen3-8B")

    error = complaint(str(tmp_path / "models" / "Qwn3-8B"))

    assert error.message == f"There is no folder {tmp_path}/models/Qwn3-8B (did you mean Qwen3-8B?)."
    assert error.hint == "Correct VLLM_MODEL_PATH, or copy the model there."


def test_a_misspelt_folder_further_up_is_told_its_neighbour(tmp_path: Path) -> None:
    model(tmp_path / "models" / "Qwen3-8B")

    assert complaint(str(tmp_path / "model" / "Qwen3-8B")).message.endswith("(did you mean models?).")


def test_a_folder_with_nothing_near_is_said_plainly(tmp_path: Path) -> None:
    assert complaint(str(tmp_path / "x" / "y")).message == f"There is no folder {tmp_path}/x/y."


@pytest.mark.parametrize(
    ("files", "words", "hint"),
    [
        ([], "holds no config.json: nothing is in it.", "Copy the whole model there, or correct VLLM_MODEL_PATH."),
        (["a.txt", "b/c"], "holds no config.json: only a.txt, b is in it.", "Copy the whole model there"),
        (list("abcdefg"), "holds no config.json: only a, b, c, d, e, … is in it.", "Copy the whole model there"),
        (["Qwen3-8B-Q4_K_M.gguf"], "holds GGUF weights, no model with a config.json.", "Use Ollama for GGUF"),
        (["adapter_config.json", "adapter_model.safetensors"], "holds a LoRA adapter", "Name its base model instead"),
        (["model_index.json"], "holds an image model", "Use a language model."),
        (["model.tar.gz"], "holds an archive", "Unpack it first."),
        (["a/config.json"], "holds no config.json, but folders of models.", "Set VLLM_MODEL_PATH to {folder}/a."),
        (["a/config.json", "b/config.json"], "but folders of models.", "Set VLLM_MODEL_PATH to one of them: a, b."),
        (["models--a--b/refs/main"], "but folders of models.", "Set VLLM_MODEL_PATH to {folder}/models--a--b."),
    ],
)
def test_a_folder_without_a_model_says_what_is_in_it(tmp_path: Path, files: list[str], words: str, hint: str) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")

    error = complaint(str(folder))

    assert error.message.startswith(f"The folder {folder} holds ")
    assert words in error.message
    assert hint.format(folder=folder) in error.hint


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(ONE)
    (tmp_path / "Qwen3-Q4.GGUF").write_bytes(b"GGUF")
    (tmp_path / "link").symlink_to(tmp_path / "gone")

    plain, gguf, link = (complaint(str(tmp_path / name)) for name in ("model.safetensors", "Qwen3-Q4.GGUF", "link"))

    assert plain.message == f"{tmp_path}/model.safetensors is a file and not a model's folder."
    assert plain.hint == f"Set VLLM_MODEL_PATH to the folder that it lies in, {tmp_path}."
    assert gguf.message == f"{tmp_path}/Qwen3-Q4.GGUF is GGUF weights, a file and not a model's folder."
    assert gguf.hint.startswith("Use Ollama for GGUF")
    assert link.message == f"{tmp_path}/link leads to no folder."


def test_a_folder_that_cannot_be_opened_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)

    error = complaint(str(tmp_path))

    assert error.message == f"The folder {tmp_path} cannot be opened: Permission denied."


# The hub's cache


@pytest.mark.parametrize("name", ["org/name", "org/name/", "gpt2"])
def test_a_hub_id_is_found_in_the_cache(cache: Path, name: str) -> None:
    state = cached(cache, name.rstrip("/"), "abc")

    assert find(name) == state


def test_a_repository_and_a_snapshot_are_found_by_their_paths(cache: Path) -> None:
    state = cached(cache, "org/name", "abc")

    assert find(str(cache / "models--org--name")) == state
    assert find(str(state)) == state


def test_a_revision_is_a_branch_a_tag_or_a_commit(cache: Path) -> None:
    main, other = cached(cache, "org/name", "abc"), cached(cache, "org/name", "def", main=False)
    (cache / "models--org--name" / "refs" / "refs" / "pr").mkdir(parents=True)
    (cache / "models--org--name" / "refs" / "refs" / "pr" / "1").write_text("def\n")

    assert find("org/name") == find("org/name@main") == find("org/name@abc") == main
    assert find("org/name@def") == find("org/name@refs/pr/1") == other


def test_a_revision_that_is_not_there_is_named(cache: Path) -> None:
    cached(cache, "org/name", "abc")

    error = complaint("org/name@v2")

    assert error.message == "org/name is on this disk, but not its revision v2."
    assert error.hint == "Fetch it with `python download_model.py org/name --revision v2`, or correct VLLM_MODEL_PATH."


def test_without_a_main_the_newest_whole_snapshot_counts(cache: Path) -> None:
    halves = {"model.safetensors": None, **shards(1, of=2)}
    old = cached(cache, "org/name", "old", main=False)
    new = cached(cache, "org/name", "new", main=False)
    broken = cached(cache, "org/name", "broken", main=False, files=halves)
    for age, state in ((300, old), (200, new), (100, broken)):
        os.utime(state, (10**9 - age, 10**9 - age))

    assert find("org/name") == new


def test_main_counts_while_it_is_whole(cache: Path) -> None:
    main, newer = cached(cache, "org/name", "main"), cached(cache, "org/name", "newer", main=False)
    os.utime(main, (10**9 - 100, 10**9 - 100))
    os.utime(newer, (10**9, 10**9))
    assert find("org/name") == main

    (main / "model.safetensors").unlink()
    assert find("org/name") == newer


def test_a_half_that_is_all_there_is_is_found_to_be_looked_into(cache: Path) -> None:
    state = cached(cache, "org/name", "abc", files={"model.safetensors": None})

    assert find("org/name") == state


@pytest.mark.parametrize("by_path", [True, False])
def test_a_download_that_hardly_began_is_to_be_finished(cache: Path, by_path: bool) -> None:
    (cache / "models--org--name" / "blobs").mkdir(parents=True)

    error = complaint(str(cache / "models--org--name") if by_path else "org/name")

    assert error.message == "The download of org/name never got to its config.json."
    assert error.hint == "Fetch it again with `python download_model.py org/name`."


def test_a_hub_id_that_is_not_here_says_how_to_get_it(cache: Path) -> None:
    error = complaint("Qwen/Qwen3-8B")

    assert error.message == "Qwen/Qwen3-8B is not on this disk."
    assert error.hint == "Fetch it with `python download_model.py Qwen/Qwen3-8B`, or correct VLLM_MODEL_PATH."


@pytest.mark.parametrize("name", ["Qwen/Qwen-3-8B", "qwen/qwen3-8b", "Qwen3-8B", "qwen3-8b", "Qwen/Qwen3"])
def test_a_misspelt_hub_id_is_told_the_one_that_is_here(cache: Path, name: str) -> None:
    cached(cache, "Qwen/Qwen3-8B", "abc")

    assert complaint(name).message == f"{name} is not on this disk (did you mean Qwen/Qwen3-8B?)."


def test_a_folder_that_looks_like_a_hub_id_is_told_its_neighbour() -> None:
    model(Path("models/Qwen3-8B"))

    assert complaint("models/Qwn3-8B").message == "models/Qwn3-8B is not on this disk (did you mean Qwen3-8B?)."


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"HF_HUB_CACHE": "/a"}, "/a"),
        ({"HUGGINGFACE_HUB_CACHE": "/b", "HF_HOME": "/c"}, "/b"),
        ({"HF_HOME": "/c", "XDG_CACHE_HOME": "/d"}, "/c/hub"),
        ({"XDG_CACHE_HOME": "/d"}, "/d/huggingface/hub"),
        ({"HF_HOME": "~/e"}, "/home/me/e/hub"),
        ({"HF_HOME": "$HOME/f"}, "/home/me/f/hub"),
        ({}, "/home/me/.cache/huggingface/hub"),
    ],
)
def test_the_cache_lies_where_the_hub_puts_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)

    assert cache_folder() == Path(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40) | st.text("./~@-aZ模\\\0", max_size=12))
@example("x" * 5000)
@example("org/" + "x" * 5000)
@example("a\0b")
@example("~\0")
@example("~nobody/x")
@example("/")
@example("org/name@../../..")
def test_whatever_is_written_is_answered(name: str) -> None:
    error = complaint(name)

    assert error.message.endswith(".")
