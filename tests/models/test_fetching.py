"""Fetching what is here already, parts of a model, and models of every kind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.errors import (
    HotswapError,
    ModelDamaged,
    ModelMissing,
    ModelUnusable,
    Offline,
    UsageError,
)
from app.inventory import models_here, remove_model
from app.models import find
from app.models.folder import NOTES
from tests.models import parts
from tests.models.customer import Customer, at, contents, offered
from tests.models.customer import customer as customer
from tests.models.hub_server import HubServer, Repo
from tests.models.hub_server import hub_online as hub_online
from tests.models.known import LLAMA_3_8B

W = "model.safetensors"
FILES = offered()


@pytest.fixture
def hub(hub_online: None, customer: Customer) -> Iterator[HubServer]:
    repos = {
        "org/model": Repo(FILES),
        "org/Qwen3-8B": Repo(FILES),
        "org/gated": Repo(FILES, gated=True, token="hf_member"),
        "org/private": Repo(FILES, private=True, token="hf_member"),
    }
    with HubServer(repos, tokens={"hf_stranger"}, page_size=3) as server:
        at(customer, server.url)
        yield server


def offer(hub: HubServer, files: dict[str, bytes], **how: Any) -> None:
    hub.repos["org/model"] = Repo(files, **how)


# What is here already


def test_a_name_in_the_hubs_cache_is_used_without_a_request(hub: HubServer, customer: Customer, tmp_path: Path) -> None:
    snapshot = parts.cached(tmp_path / "hub", "org/model", "abc")
    page = "https://huggingface.co/org/model"
    for name in ("org/model", "org/model@abc", page, str(snapshot), str(snapshot.parent.parent)):
        done = customer.fetch(name)
        assert (done.folder, done.came, done.kind) == (snapshot, 0, "chat")
    assert hub.log == []


def test_a_model_that_was_put_elsewhere_is_listed_found_by_name_and_removed(
    hub: HubServer, customer: Customer, tmp_path: Path
) -> None:
    done = customer.fetch(to=tmp_path / "elsewhere")
    [listed] = models_here(customer.settings)

    assert (listed.name, listed.path, listed.place) == ("org/model", done.folder, "registered")
    assert find("org/model", shelf=customer.shelf) == done.folder
    assert remove_model(customer.settings, "org/model")[1] and not done.folder.exists()
    assert models_here(customer.settings) == []


def test_half_a_model_in_the_hubs_cache_is_fetched(hub: HubServer, customer: Customer, tmp_path: Path) -> None:
    parts.cached(tmp_path / "hub", "org/model", "abc", files={W: None})
    assert contents(customer.fetch().folder) == FILES


def test_a_folder_is_verified_and_registered_where_it_is(customer: Customer, tmp_path: Path) -> None:
    folder = parts.model(tmp_path / "mine" / "qwen")
    done = customer.fetch(str(folder))
    assert (done.folder, done.value, done.setting, done.came) == (folder, str(folder), "VLLM_MODEL_PATH", 0)
    assert find("qwen", shelf=customer.shelf) == folder
    assert sorted(customer.shelf.iterdir()) == [customer.shelf / "registered.json"]
    customer.refused(UsageError, str(folder), to=tmp_path / "to")


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({W: parts.POINTER}, ModelDamaged, "Git LFS pointer"),
        ({"tokenizer.json": None}, ModelDamaged, "has no tokenizer"),
        ({W: None, **parts.shards(2, of=3)}, ModelDamaged, "lacks 1 of its 3 weight files"),
        ({W: FILES[W][:1000]}, ModelDamaged, "cut off"),
        ({"config.json": None, W: None, "model.gguf": b"GGUF"}, ModelMissing, "GGUF"),
    ],
)
def test_a_damaged_folder_is_named_and_not_registered(
    customer: Customer, tmp_path: Path, changes: dict[str, bytes | None], kind: type[HotswapError], words: str
) -> None:
    folder = parts.model(tmp_path / "mine", files=changes)
    assert words in customer.refused(kind, str(folder)).message
    assert not customer.shelf.exists()


@pytest.mark.parametrize("place", ["shelf", "elsewhere"])
def test_a_fetched_model_that_was_copied_here_is_verified_and_whole(
    hub: HubServer, customer: Customer, tmp_path: Path, place: str
) -> None:
    other = customer.fetch(to=tmp_path / "other").folder
    copy = customer.shelf / "org/model" if place == "shelf" else tmp_path / "copy"
    shutil.copytree(other, copy, copy_function=shutil.copyfile)
    remove_model(customer.settings, str(other))
    at(customer, hub.url, offline=True)

    customer.fetch("org/model" if place == "shelf" else str(copy))
    [listed] = models_here(customer.settings.model_copy(update={"offline": False}))
    assert (listed.path, listed.problem) == (copy, "")

    weights = bytearray((copy / W).read_bytes())
    weights[-1] ^= 1
    (copy / W).write_bytes(weights)
    assert f"{W} of org/model changed" in customer.refused(ModelDamaged, str(copy)).message


def test_a_file_is_no_name_to_be_asked_for(hub: HubServer, customer: Customer) -> None:
    Path("model.gguf").write_bytes(b"GGUF")
    assert "is GGUF weights, a file" in customer.refused(ModelMissing, "model.gguf").message
    assert hub.log == []


def test_offline_only_looks_at_this_disk(hub: HubServer, customer: Customer, tmp_path: Path) -> None:
    customer.fetch()
    asked = len(hub.log)
    at(customer, hub.url, offline=True)
    assert customer.fetch().came == 0
    assert customer.refused(Offline, "org/Qwen3-8B").message == "org/Qwen3-8B is not on this disk, and OFFLINE is set."
    customer.refused(Offline, source="modelscope", name="org/other")
    assert customer.fetch(str(parts.model(tmp_path / "mine"))).came == 0
    assert len(hub.log) == asked


def test_an_address_of_a_page_names_model_source_and_revision(hub: HubServer, customer: Customer) -> None:
    tagged = {**FILES, "note.txt": b"dev"}
    hub.repos["org/model"].push(tagged, ref="dev")
    at(customer, "http://127.0.0.1:9")
    done = customer.fetch(f"{hub.url}/org/model/tree/dev")
    assert (done.value, contents(done.folder)) == ("org/model@dev", tagged)
    assert find("org/model@dev", shelf=customer.shelf) == done.folder
    customer.refused(UsageError, "org/model@dev", revision="main")
    at(customer, hub.url)
    assert contents(customer.fetch("https://huggingface.co/org/model").folder) == FILES  # at HF_ENDPOINT


# Which files, and what for


def test_patterns_choose_files(hub: HubServer, customer: Customer) -> None:
    done = customer.fetch(include=("*.json", "README*"), exclude=("tokenizer*",))
    assert set(contents(done.folder)) == {"config.json", "README.md"}
    assert done.setting == "" and "make no model" in done.notes[0]
    assert "--include '*.json'" in (done.folder / NOTES / "manifest.json").read_text()
    assert "it has README.md" in customer.refused(UsageError, "org/Qwen3-8B", include=("*.gguf",)).hint


EMBEDDING = {"config.json": json.dumps({**LLAMA_3_8B, "architectures": ["BertModel"]}).encode()}
RERANKER = {
    "config.json": json.dumps({**LLAMA_3_8B, "architectures": ["XLMRobertaForSequenceClassification"]}).encode()
}


@pytest.mark.parametrize(
    ("changes", "kind", "setting"),
    [
        (EMBEDDING, None, "EMBEDDING_MODEL"),
        (EMBEDDING, "embedding", "EMBEDDING_MODEL"),
        ({}, "embedding", "EMBEDDING_MODEL"),  # a model that writes may make vectors as well
        (RERANKER, None, "RERANKER_MODEL"),
        (RERANKER, "reranker", "RERANKER_MODEL"),
        ({}, "chat", "VLLM_MODEL_PATH"),
    ],
)
def test_what_a_model_is_for_names_its_setting(
    hub: HubServer, customer: Customer, changes: dict[str, bytes | None], kind: Any, setting: str
) -> None:
    offer(hub, offered(changes=changes))
    assert customer.fetch(kind=kind).setting == setting


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({}, "reranker", "is no reranker: it writes text"),
        (EMBEDDING, "chat", "is an embedding model"),
        (RERANKER, "embedding", "is a reranker and makes no vectors"),
    ],
)
def test_a_model_for_something_else_is_told_before_its_weights_come(
    hub: HubServer, customer: Customer, changes: dict[str, bytes | None], kind: Any, words: str
) -> None:
    offer(hub, offered(changes=changes))
    error = customer.refused(ModelUnusable, kind=kind)
    assert words in error.message and "at the source" not in error.hint
    assert hub.bytes_sent(W) == 0
