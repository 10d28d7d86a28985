"""The ModelScope of the tests' own, asked by the real client."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.faults import Fault
from tests.models.hub_server import Repo
from tests.models.modelscope_server import ModelScopeServer
from tests.models.modelscope_server import modelscope_home as modelscope_home

WEIGHTS = bytes(range(256)) * 1200
FILES = {
    "README.md": b"",
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": WEIGHTS,
    "onnx/note.txt": "说明".encode(),
}
OPEN = Repo(FILES)
REPOS = {
    "org/open": OPEN,
    "org/gated": Repo(FILES, gated=True, token="ms-member"),
    "org/private": Repo(FILES, private=True, token="ms-member"),
}


@pytest.fixture
def modelscope() -> Iterator[ModelScopeServer]:
    with ModelScopeServer(REPOS, tokens={"ms-stranger"}) as server:
        yield server


def test_the_real_modelscope_client_gets_every_file_once_and_takes_no_token_to_the_cdn(
    modelscope: ModelScopeServer, modelscope_home: None, tmp_path: Path
) -> None:
    from modelscope_hub import HubApi

    api = HubApi(endpoint=modelscope.url, token="ms-stranger")
    folder = api.download_repo("org/open", "model", local_dir=tmp_path / "model")

    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    assert {path: modelscope.deliveries(path) for path in FILES} == dict.fromkeys(FILES, 1)
    assert {request.token for request in modelscope.requests(where="cdn")} == {""}
    assert {request.token for request in modelscope.requests("*/repo/files")} == {"ms-stranger"}
    assert modelscope.unwanted() == []


def test_the_real_modelscope_client_lists_and_finds(modelscope: ModelScopeServer, modelscope_home: None) -> None:
    from modelscope_hub import HubApi

    api = HubApi(endpoint=modelscope.url)
    files = {file.path: file for file in api.list_repo_files("org/open", "model")}
    assert {path: file.size for path, file in files.items() if file.type == "blob"} == {
        path: len(data) for path, data in FILES.items()
    }
    assert files["model.safetensors"].sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert [repo.id for repo in api.list_repos("model", search="OPEN").items] == ["org/open"]
    assert (api.repo_exists("org/open", "model"), api.repo_exists("org/missing", "model")) == (True, False)


def test_the_real_modelscope_client_reads_on_where_it_was_cut(
    modelscope: ModelScopeServer, modelscope_home: None
) -> None:
    from modelscope_hub import HubApi
    from requests.exceptions import ChunkedEncodingError

    api = HubApi(endpoint=modelscope.url)
    modelscope.add(Fault("model.safetensors", cut=100_000))
    with (
        pytest.raises(ChunkedEncodingError, match="100000 bytes read"),
        api.legacy.download_stream("org/open", "model", "model.safetensors", "master") as response,
    ):
        list(response.iter_content(10_000))
    headers = {"Range": "bytes=100000-"}
    with api.legacy.download_stream("org/open", "model", "model.safetensors", "master", headers) as response:
        assert (response.status_code, response.content) == (206, WEIGHTS[100_000:])
    assert modelscope.bytes_sent("model.safetensors") == len(WEIGHTS)


@pytest.mark.parametrize(
    ("name", "revision", "token", "error"),
    [
        ("org/missing", "master", "", "NotExistError"),
        ("org/private", "master", "ms-stranger", "NotExistError"),
        ("org/gated", "master", "", "AuthenticationError"),
        ("org/gated", "master", "ms-stranger", "PermissionDeniedError"),
        ("org/open", "v9", "", "NotExistError"),
        ("org/open", "master", "ms-wrong", "AuthenticationError"),
    ],
)
def test_the_real_modelscope_client_is_refused(
    modelscope: ModelScopeServer, modelscope_home: None, name: str, revision: str, token: str, error: str
) -> None:
    from modelscope_hub import HubApi, errors

    with pytest.raises(errors.APIError) as raised:
        HubApi(endpoint=modelscope.url, token=token).list_repo_files(name, "model", revision=revision)

    assert type(raised.value).__name__ == error
