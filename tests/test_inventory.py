"""What is on this machine: fetched, registered and cached models, whole or not; and taking one away."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import Settings, load_settings
from app.errors import DownloadError, ModelMissing, UsageError
from app.inventory import ModelHere, models_here, remove_model
from app.models.fetching import locked
from app.models.folder import NOTES
from app.models.kinds import kind_of
from app.models.manifest import Manifest, read_manifest
from app.models.shelf import register
from tests.models import parts


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    return load_settings(models_dir=tmp_path / "models", data_dir=tmp_path / "state", embedding_model="org/embeds")


def fetched(settings: Settings, name: str, *, complete: bool = True, **changes: bytes | None) -> Path:
    folder = parts.model(settings.models_folder / name, files={k.replace("_", "."): v for k, v in changes.items()})
    manifest = Manifest(name, "hub", "abc", f"python download_model.py {name}", complete)
    for path in ("config.json", "model.safetensors"):
        manifest.note(folder, path, "0")
    manifest.write(folder)
    return folder


def only(settings: Settings) -> ModelHere:
    [found] = models_here(settings)
    json.dumps(found.as_dict())
    return found


def test_nothing_here_is_an_empty_list(settings: Settings) -> None:
    assert models_here(settings) == []


def test_every_kind_of_place_is_listed(settings: Settings, tmp_path: Path) -> None:
    folder = fetched(settings, "org/model")
    parts.model(settings.models_folder / "copied")
    register(settings.models_folder, mine := parts.model(tmp_path / "elsewhere" / "mine"))
    snapshot = parts.cached(tmp_path / "hub", "org/cached", "abc")

    found = {model.name: model for model in models_here(settings)}

    assert {name: (model.place, model.path) for name, model in found.items()} == {
        "copied": ("fetched", settings.models_folder / "copied"),
        "org/model": ("fetched", folder),
        "mine": ("registered", mine),
        "org/cached": ("cache", snapshot),
    }
    assert all(model.complete and model.kind == "chat" and model.fits for model in found.values())
    assert all([verdict.engine for verdict in model.engines] == ["vllm", "hf"] for model in found.values())


@pytest.mark.parametrize(
    ("complete", "changes", "words"),
    [
        (False, {}, "was never fetched to its end"),
        (True, {"tokenizer_json": None}, "has no tokenizer"),
        (True, {"model_safetensors": parts.POINTER}, "Git LFS pointer"),
    ],
)
def test_what_is_not_whole_says_so_and_how_to_mend_it(
    settings: Settings, complete: bool, changes: dict[str, bytes | None], words: str
) -> None:
    fetched(settings, "org/model", complete=complete, **changes)
    found = only(settings)
    assert words in found.problem and found.hint and not found.complete


def test_a_file_that_changed_since_it_was_fetched_is_told(settings: Settings) -> None:
    folder = fetched(settings, "org/model")
    (folder / "model.safetensors").write_bytes(parts.ONE + b"x")
    found = only(settings)
    assert found.problem and "`python download_model.py org/model`" in found.hint


def test_the_settings_that_name_a_model_are_told(settings: Settings) -> None:
    folder = fetched(settings, "org/embeds")
    assert only(settings).set_as == ("EMBEDDING_MODEL",)
    both = settings.model_copy(update={"vllm_model_path": str(folder), "hf_model_path": "org/embeds"})
    assert only(both).set_as == ("VLLM_MODEL_PATH", "EMBEDDING_MODEL", "HF_MODEL_PATH")


def test_a_setting_names_the_model_that_it_leads_to_and_no_other_of_its_name(
    settings: Settings, tmp_path: Path
) -> None:
    folder = fetched(settings, "org/embeds")
    register(settings.models_folder, Path(shutil.copytree(folder, tmp_path / "copy")))
    assert {model.path: model.set_as for model in models_here(settings)} == {
        folder: ("EMBEDDING_MODEL",),
        tmp_path / "copy": (),
    }


def test_a_file_that_goes_while_it_is_measured_counts_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched(settings, "org/model")

    def gone(path: str) -> int:
        raise FileNotFoundError(path)

    monkeypatch.setattr("os.path.getsize", gone)
    assert only(settings).size == 0


def test_a_fetched_model_is_removed_with_its_files(settings: Settings) -> None:
    folder = fetched(settings, "org/model")
    model, gone = remove_model(settings, "org/model")
    assert gone and model.size > 0 and not folder.parent.exists()
    with pytest.raises(ModelMissing):
        remove_model(settings, "org/model")


def test_a_registered_folder_is_only_forgotten(settings: Settings, tmp_path: Path) -> None:
    register(settings.models_folder, mine := parts.model(tmp_path / "mine"))
    assert remove_model(settings, str(mine))[1] is False
    assert mine.is_dir() and models_here(settings) == []


def test_a_cached_model_is_removed_with_all_its_states(settings: Settings, tmp_path: Path) -> None:
    parts.cached(tmp_path / "hub", "org/cached", "abc")
    parts.cached(tmp_path / "hub", "org/cached", "def")
    assert remove_model(settings, "org/cached")[1]
    assert not (tmp_path / "hub" / "models--org--cached").exists()


def test_what_answers_or_is_being_fetched_stays(settings: Settings) -> None:
    folder = fetched(settings, "org/model")
    for live in ("org/model", str(folder)):
        with pytest.raises(UsageError, match="answers now"):
            remove_model(settings, "org/model", live)
    with locked(folder, "org/model"), pytest.raises(DownloadError, match="being fetched"):
        remove_model(settings, "org/model")
    assert only(settings).complete


@pytest.mark.parametrize("name", ["", ".", "..", "../models", "org", "org/none", "/", "registered.json"])
def test_nothing_else_is_ever_removed(settings: Settings, name: str) -> None:
    fetched(settings, "org/model")
    with pytest.raises(ModelMissing):
        remove_model(settings, name)
    assert only(settings).complete


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(architectures=JSON, auto_map=JSON, manifest=JSON)
def test_whatever_the_files_say_a_kind_is_found_out(
    tmp_path_factory: pytest.TempPathFactory, architectures: object, auto_map: object, manifest: object
) -> None:
    folder = tmp_path_factory.getbasetemp() / "odd"
    (folder / NOTES).mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"architectures": architectures, "auto_map": auto_map}))
    (folder / NOTES / "manifest.json").write_text(json.dumps({"files": manifest, "name": "x"}))
    assert kind_of(folder) in ("chat", "embedding", "reranker")
    read_manifest(folder)
