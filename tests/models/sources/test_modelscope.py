"""Models from ModelScope, through its real client and a server of the tests' own that misbehaves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.errors import (
    ChecksumMismatch,
    DownloadError,
    HotswapError,
    ModelGated,
    ModelNotOffered,
    ModelUnusable,
    SourceUnavailable,
    UsageError,
)
from tests.models.customer import Customer, contents, offered
from tests.models.customer import customer as customer
from tests.models.faults import ALWAYS, HEADERS, Fault
from tests.models.hub_server import Repo
from tests.models.modelscope_server import ModelScopeServer
from tests.models.modelscope_server import modelscope_home as modelscope_home

W = "model.safetensors"
FILES = offered()
LIST = "*/repo/files"


@pytest.fixture
def modelscope(
    modelscope_home: None, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModelScopeServer]:
    repos = {
        "org/model": Repo(FILES),
        "org/Qwen3-8B": Repo(FILES),
        "org/gated": Repo(FILES, gated=True, token="ms-member"),
        "org/private": Repo(FILES, private=True, token="ms-member"),
    }
    with ModelScopeServer(repos, tokens={"ms-stranger"}) as server:
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", server.url)
        monkeypatch.setattr("time.sleep", customer.paused.append)
        yield server


@pytest.mark.parametrize("how", [{"source": "modelscope"}, {"name": "URL/models/org/model/summary"}, {"source": "URL"}])
def test_a_model_comes_whole_and_once(modelscope: ModelScopeServer, customer: Customer, how: dict[str, Any]) -> None:
    done = customer.fetch(**{key: value.replace("URL", modelscope.url) for key, value in how.items()})

    assert contents(done.folder) == FILES
    assert (done.setting, done.value) == ("VLLM_MODEL_PATH", "org/model")
    assert {path: modelscope.deliveries(path) for path in FILES} == dict.fromkeys(FILES, 1)
    assert modelscope.unwanted() == []
    assert customer.fetch(source="modelscope").came == 0


@pytest.mark.parametrize(
    ("fault", "again"),
    [
        (Fault(W, cut=300_000), 70_000),
        (Fault(W, reset=300_000), 300_000),
        (Fault(W, short=300_000), 0),
        (Fault(W, flip=1000), len(FILES[W])),
        (Fault(W, where="cdn", status=403), 0),
        (Fault(W, where="cdn", status=503), 0),
        (Fault("config.json", status=429, headers={"Retry-After": "3"}), 0),
        (Fault("config.json", status=500, times=3), 0),
        (Fault(LIST, status=503), 0),
        (Fault(LIST, reset=0), 0),
    ],
    ids=lambda value: str({k: v for k, v in vars(value).items() if v} if isinstance(value, Fault) else value)[:60],
)
def test_a_fault_that_passes_is_waited_for(
    modelscope: ModelScopeServer, customer: Customer, fault: Fault, again: int
) -> None:
    modelscope.add(fault)
    assert contents(customer.fetch(source="modelscope").folder) == FILES
    assert fault.used
    assert modelscope.bytes_sent() <= sum(map(len, FILES.values())) + again


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault(W, reset=0), SourceUnavailable, "the connection broke off"),
        (Fault(W, flip=1000), ChecksumMismatch, "came from ModelScope with other bytes"),
        (Fault(W, where="cdn", status=403), SourceUnavailable, "(403)"),
        (Fault("config.json", status=404), SourceUnavailable, "(404)"),
        (Fault("config.json", status=403), ModelGated, "gated or private"),
        (Fault(LIST, status=503), SourceUnavailable, "(503)"),
        (Fault(LIST, reset=0), SourceUnavailable, "the connection broke off"),
    ],
    ids=lambda value: str({k: v for k, v in vars(value).items() if v} if isinstance(value, Fault) else value)[:60],
)
def test_a_fault_that_stays_is_named(
    modelscope: ModelScopeServer, customer: Customer, fault: Fault, kind: type[HotswapError], words: str
) -> None:
    fault.times = ALWAYS
    modelscope.add(fault)
    assert words in customer.refused(kind, source="modelscope").message
    modelscope.clear()
    assert contents(customer.fetch(source="modelscope").folder) == FILES


@pytest.mark.parametrize(
    ("name", "token", "kind", "words"),
    [
        ("org/gated", "", ModelNotOffered, "a private or gated one wants a token (--token)"),
        ("org/gated", "ms-stranger", ModelGated, "with the account of this token"),
        ("org/private", "ms-stranger", ModelNotOffered, "Correct the name"),
        ("org/Qwn3-8B", "", ModelNotOffered, "Did you mean org/Qwen3-8B?"),
        ("org/model@v9", "", ModelNotOffered, "Correct --revision"),
    ],
)
def test_what_is_not_to_be_had_is_told(
    modelscope: ModelScopeServer, customer: Customer, name: str, token: str, kind: type[HotswapError], words: str
) -> None:
    error = customer.refused(kind, name, token=token, source="modelscope")
    assert words in error.hint
    assert "HF_TOKEN" not in error.hint and "ms-" not in str(error)


def test_the_right_token_opens_and_goes_to_no_cdn_and_no_file(
    modelscope: ModelScopeServer, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    done = customer.fetch("org/gated", token="ms-member", source="modelscope")
    assert contents(done.folder) == FILES
    assert {request.token for request in modelscope.requests(where="cdn")} == {""}
    kept = b"".join(path.read_bytes() for path in customer.shelf.rglob("*") if path.is_file())
    assert b"ms-member" not in kept and "ms-member" not in f"{caplog.text} {done}"


def test_a_token_of_the_environment_that_is_not_accepted_is_named(
    modelscope: ModelScopeServer, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "ms-wrong")
    assert "unset MODELSCOPE_API_TOKEN" in customer.refused(ModelGated, source="modelscope").hint


def test_a_token_of_the_hub_is_not_sent_to_modelscope(
    modelscope: ModelScopeServer, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_member")
    customer.fetch(source="modelscope")
    assert {request.token for request in modelscope.requests()} == {""}


@pytest.mark.parametrize(
    ("changes", "words"), [({W: None, "model.gguf": b"GGUF"}, "GGUF"), ({"../evil": b"-"}, "outside the model")]
)
def test_what_is_no_model_is_named(
    modelscope: ModelScopeServer, customer: Customer, changes: dict[str, bytes | None], words: str
) -> None:
    modelscope.repos["org/model"] = Repo(offered(changes=changes))
    assert words in customer.refused(ModelUnusable, source="modelscope").message


def test_an_update_brings_what_changed(modelscope: ModelScopeServer, customer: Customer) -> None:
    customer.fetch(source="modelscope")
    new = {**FILES, "config.json": FILES["config.json"] + b"\n"}
    modelscope.repos["org/model"].push(new)
    assert contents((done := customer.fetch(source="modelscope")).folder) == new
    assert done.came == len(new["config.json"])


def test_without_the_client_it_says_how_to_get_it(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "modelscope_hub", None)
    assert "pip install modelscope" in customer.refused(DownloadError, source="modelscope").hint


def test_a_misspelt_source_is_told(customer: Customer, tmp_path: Path) -> None:
    assert "modelscope" in customer.refused(UsageError, source="modelscop").message
    for address in ("http://", "http://[", "ftp://x/y"):
        customer.refused(UsageError, source=address)


def test_a_stall_is_not_waited_for_long(
    modelscope: ModelScopeServer, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("REPO_TREE_PAGE_TIMEOUT_SECONDS", "DOWNLOAD_TIMEOUT"):
        monkeypatch.setattr(f"modelscope_hub._legacy_api.{limit}", 0.5)
    modelscope.add(Fault(LIST, stall=HEADERS))
    modelscope.add(Fault(W, stall=300_000))
    assert contents(customer.fetch(source="modelscope").folder) == FILES
