"""What is not to be had, or not for everybody, or is nothing that an engine loads: one line, and nothing left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.errors import (
    HotswapError,
    ModelGated,
    ModelNotOffered,
    ModelUnusable,
    UsageError,
)
from app.models.folder import NOTES
from tests.models import parts
from tests.models.customer import LORA, Customer, at, contents, offered
from tests.models.customer import customer as customer
from tests.models.faults import Fault
from tests.models.hub_server import HubServer, Repo
from tests.models.hub_server import hub_online as hub_online

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


# Who may have it


@pytest.mark.parametrize(
    ("name", "token", "kind", "words"),
    [
        ("org/gated", "", ModelGated, "then give a token (--token or HF_TOKEN)"),
        ("org/gated", "hf_stranger", ModelGated, "with the account of this token"),
        ("org/private", "", ModelNotOffered, "wants a token (--token)"),
        ("org/private", "hf_stranger", ModelNotOffered, "Correct the name"),
        ("org/model", "hf_wrong", ModelGated, "a model that is open wants none: unset HF_TOKEN"),
    ],
)
def test_who_is_not_let_in_is_told_what_to_do(
    hub: HubServer, customer: Customer, name: str, token: str, kind: type[HotswapError], words: str
) -> None:
    error = customer.refused(kind, name, token=token)
    assert words in error.hint
    assert "hf_" not in str(error)


def test_the_right_token_opens_and_is_written_nowhere(
    hub: HubServer, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    hub.add(Fault(W, cut=300_000))
    done = customer.fetch("org/gated", token="hf_member")

    assert contents(done.folder) == FILES
    assert {request.token for request in hub.requests(where="hub")} == {"hf_member"}
    assert {request.token for request in hub.requests(where="cdn")} == {""}
    kept = b"".join(path.read_bytes() for path in customer.shelf.rglob("*") if path.is_file())
    assert b"hf_member" not in kept and "hf_member" not in f"{caplog.text} {done}"


@pytest.mark.parametrize(
    ("source", "sent"), [("", "hf_member"), ("hf", "hf_member"), ("URL", "hf_member"), ("other", "")]
)
def test_a_token_of_the_environment_goes_to_the_hub_that_is_set_alone(
    hub: HubServer, customer: Customer, monkeypatch: pytest.MonkeyPatch, source: str, sent: str
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    monkeypatch.setenv("HF_TOKEN", "hf_member")
    if source == "other":
        at(customer, "http://127.0.0.1:9")
    customer.fetch(source=hub.url if source in ("URL", "other") else source)
    assert {request.token for request in hub.requests(where="hub")} == {sent}
    assert {request.token for request in hub.requests(where="cdn")} == {""}


def test_a_password_in_an_address_is_refused_and_not_repeated(hub: HubServer, customer: Customer) -> None:
    address = hub.url.replace("://", "://me:secret@")
    for how in ({"source": address}, {"name": f"{address}/org/model"}):
        assert "secret" not in str(customer.refused(UsageError, **how))
    at(customer, address)
    assert "secret" not in str(customer.refused(UsageError))
    assert not hub.log


# What is not there


@pytest.mark.parametrize(
    ("name", "near"),
    [("org/Qwn3-8B", "org/Qwen3-8B"), ("org/qwen3-8b-instruct", "org/Qwen3-8B"), ("org/modle", "org/model")],
)
def test_a_misspelt_model_is_told_the_nearest_names_and_leaves_nothing(
    hub: HubServer, customer: Customer, name: str, near: str
) -> None:
    error = customer.refused(ModelNotOffered, name)
    assert f"Did you mean {near}" in error.hint
    assert not customer.shelf.exists() or not list(customer.shelf.iterdir())


def test_a_missing_revision_is_told(hub: HubServer, customer: Customer) -> None:
    assert customer.refused(ModelNotOffered, "org/model@v9").message.startswith("org/model has no revision v9 at")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (offered(changes={W: None, "model.gguf": b"GGUF"}), "GGUF"),
        (LORA, "is a LoRA adapter"),
        (offered(changes={W: None, "pytorch_model.bin": b"PK"}), "pickled (pytorch_model.bin)"),
        (offered(changes={"tokenizer.json": None}), "has no tokenizer"),
        (offered(changes={W: None}), "no weights"),
        (offered(changes={W: None, "model-00001-of-00003.safetensors": parts.ONE}), "lacks 2 of its weight files"),
        (offered(changes={W: None, **parts.shards(2, of=3)}), "lacks 1 of its weight files"),
        (offered(changes={W: parts.POINTER}), "Git LFS pointer"),
        (offered(changes={"config.json": parts.POINTER}), "Git LFS pointer"),
        (offered(changes={"config.json": None}), "config.json"),
        (offered(changes={W: FILES[W][:300_000]}), "cut off"),
    ],
    ids=["gguf", "lora", "pickle", "tokenizer", "weights", "shards", "index", "pointer", "config", "none", "short"],
)
def test_what_no_engine_could_load_is_named(
    hub: HubServer, customer: Customer, files: dict[str, bytes], words: str
) -> None:
    offer(hub, files, large=())
    assert words in customer.refused(ModelUnusable).message


def test_what_the_names_tell_is_told_before_a_byte_is_fetched(hub: HubServer, customer: Customer) -> None:
    offer(hub, LORA)
    customer.refused(ModelUnusable)
    assert hub.bytes_sent() == 0
    assert not (customer.shelf / "org").exists()


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:evil", "a\0b", "CON\n"])
def test_a_file_that_would_leave_the_folder_stops_everything(hub: HubServer, customer: Customer, path: str) -> None:
    offer(hub, {**FILES, path: b"evil"})
    assert "outside the model" in customer.refused(ModelUnusable).message
    assert hub.bytes_sent() == 0


def test_our_own_notes_at_the_source_are_left_there(hub: HubServer, customer: Customer) -> None:
    """Who uploads a fetched folder uploads them too."""
    notes = {f"{NOTES}/manifest.json": b"{}", f"{NOTES}/parts/x.part": b"x", f"{NOTES}/lock": b""}
    offer(hub, {**FILES, **notes})
    assert contents(customer.fetch().folder) == contents(customer.fetch(include=("*",)).folder) == FILES
    assert json.loads((customer.shelf / "org/model" / NOTES / "manifest.json").read_text())["complete"]
