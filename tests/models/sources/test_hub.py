"""Which source a name stands for, and what its client is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import HotswapError, UsageError
from app.models.sources import HUB, source
from app.models.sources.hub import HubSource
from app.models.sources.modelscope import ModelScopeSource
from tests.models.hub_server import HubServer, Repo
from tests.models.hub_server import hub_online as hub_online


@pytest.mark.parametrize(
    ("name", "endpoint", "label"),
    [
        ("", "", "huggingface.co"),
        ("hf", "https://mirror.example", "mirror.example"),
        ("hf-mirror", "https://mirror.example", "hf-mirror.com"),
        ("https://other.example:8443/hub", "", "other.example:8443"),
        ("modelscope", "", "ModelScope"),
        ("https://www.modelscope.cn", "", "www.modelscope.cn"),
    ],
)
def test_a_source_is_named_by_its_host(name: str, endpoint: str, label: str) -> None:
    found = source(name, endpoint=endpoint)
    assert found.label == label
    assert isinstance(found, ModelScopeSource if "odel" in name else HubSource)


@pytest.mark.parametrize(
    "name", ["hugging", "http://", "https:///x", "http://[", "ftp://x", "//x", "https://me:secret@x"]
)
def test_what_is_no_source_is_told(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        source(name)
    assert caught.value.hint and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "token", "sent"),
    [
        ("", "", None),
        ("hf", "given", "given"),
        (HUB, "", None),
        ("hf-mirror", "", False),
        ("https://x.example", "", False),
    ],
)
def test_a_token_of_the_environment_is_for_the_hub_alone(name: str, token: str, sent: str | bool | None) -> None:
    found = source(name, token=token)
    assert (isinstance(found, HubSource) and found._token is sent) or found._token == sent  # type: ignore[attr-defined]


@pytest.fixture
def hub(hub_online: None) -> Iterator[HubServer]:
    with HubServer({"org/Qwen3-8B": Repo({"a.txt": b"a"}), "org/bge-m3": Repo({"a.txt": b"b"})}, page_size=1) as server:
        yield server


@pytest.mark.parametrize(
    ("name", "near"), [("org/Qwen3-8b", ["org/Qwen3-8B"]), ("org/bge_m3", ["org/bge-m3"]), ("else/llama", [])]
)
def test_the_nearest_names_are_offered(hub: HubServer, name: str, near: list[str]) -> None:
    assert HubSource(hub.url).nearest(name) == near


def test_no_names_are_offered_where_nobody_answers(hub_online: None) -> None:
    assert HubSource("http://127.0.0.1:9").nearest("org/model") == []


@pytest.mark.parametrize("name", ["a/b/c", "-x", "org/..", "x" * 200])
def test_what_the_client_takes_for_no_name_is_told(hub: HubServer, name: str, tmp_path: Path) -> None:
    with pytest.raises(HotswapError) as caught:
        HubSource(hub.url).listing(name, "")
    assert caught.value.hint


def test_while_the_hub_is_forbidden_it_says_by_what() -> None:
    with pytest.raises(HotswapError, match="HF_HUB_OFFLINE is set"):
        HubSource("http://127.0.0.1:9").listing("org/model", "")
