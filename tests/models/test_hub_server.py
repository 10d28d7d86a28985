"""The hub of the tests' own, asked by the real client, and its faults, seen from a plain connection."""

from __future__ import annotations

import http.client
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.models.faults import ALWAYS, HEADERS, Fault
from tests.models.faulty_server import FaultyServer
from tests.models.hub_server import HubServer, Repo
from tests.models.hub_server import hub_online as hub_online

WEIGHTS = bytes(range(256)) * 1200
FILES = {
    "README.md": b"",
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": WEIGHTS,
    "onnx/cpu/model.onnx": b"onnx" * 100,
    "onnx/note.txt": "说明".encode(),
}
REPOS = {
    "org/open": Repo(FILES),
    "org/gated": Repo(FILES, gated=True, token="hf_member"),
    "org/private": Repo(FILES, private=True, token="hf_member"),
    "alone": Repo({"config.json": b"{}"}),
}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(REPOS, tokens={"hf_stranger"}, page_size=2) as server:
        yield server


def contents(folder: str | Path) -> dict[str, bytes]:
    paths = [path for path in Path(folder).rglob("*") if path.is_file()]
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    return {path: data for path, data in found.items() if not path.startswith(".")}


def get(
    server: FaultyServer, path: str = "/org/open/resolve/main/config.json", *, ranges: str = "", method: str = "GET"
) -> tuple[int, http.client.HTTPMessage, bytes, type[Exception] | None]:
    """Status, headers, body as far as it came, and what ended it early; redirects are followed."""
    url = urlsplit(server.url + path)
    while True:
        connection = http.client.HTTPConnection(url.netloc, timeout=60)
        try:
            target = f"{url.path}?{url.query}" if url.query else url.path
            connection.request(method, target, headers={"Range": ranges} if ranges else {})
            response = connection.getresponse()
            if response.status == 302:
                url = urlsplit(response.headers["Location"])
                continue
            body = io.BytesIO()
            try:
                while piece := response.read1(1000):
                    body.write(piece)
                if response.length and method == "GET":
                    raise http.client.IncompleteRead(body.getvalue())
            except (http.client.IncompleteRead, ConnectionError) as error:
                return response.status, response.headers, body.getvalue(), type(error)
            return response.status, response.headers, body.getvalue(), None
        finally:
            connection.close()


LARGE = "/org/open/resolve/main/model.safetensors"


def test_the_real_client_gets_every_file_once_and_takes_no_token_to_the_cdn(
    hub: HubServer, hub_online: None, tmp_path: Path
) -> None:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=hub.url, token="hf_stranger")
    folder = api.snapshot_download("org/open", cache_dir=tmp_path / ".cache", local_dir=tmp_path)

    assert contents(folder) == FILES
    # It does not ask for an empty file.
    assert {path: hub.deliveries(path) for path in FILES} == {path: int(len(data) > 0) for path, data in FILES.items()}
    assert hub.bytes_sent() == sum(map(len, FILES.values()))
    assert {request.file for request in hub.requests(where="cdn")} == {"model.safetensors", "onnx/cpu/model.onnx"}
    assert {request.token for request in hub.requests(where="cdn")} == {""}
    assert {request.token for request in hub.requests(where="hub")} == {"hf_stranger"}
    assert all("hf_hub/" in request.user_agent for request in hub.requests())
    assert hub.unwanted() == []
    checked = api.verify_repo_checksums("org/open", local_dir=folder)
    assert (checked.checked_count, checked.mismatches, checked.missing_paths) == (len(FILES), [], [])


def test_the_real_client_reads_names_sizes_and_checksums_by_pages(hub: HubServer, hub_online: None) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(endpoint=hub.url)
    info = api.model_info("org/open", files_metadata=True)
    listed = list(api.list_repo_tree("org/open", recursive=True))
    files = [entry for entry in listed if isinstance(entry, RepoFile)]

    assert info.sha == REPOS["org/open"].commit
    assert [(file.path, file.size, file.blob_id) for file in files] == [
        (sibling.rfilename, sibling.size, sibling.blob_id) for sibling in info.siblings or []
    ]
    assert [file.path for file in files if file.lfs] == ["model.safetensors", "onnx/cpu/model.onnx"]
    assert [entry.path for entry in listed if entry not in files] == ["onnx", "onnx/cpu"]
    assert [entry.path for entry in api.list_repo_tree("org/open", "onnx")] == ["onnx/cpu", "onnx/note.txt"]
    assert len(hub.requests("*/tree/main")) == 4
    assert [model.id for model in api.list_models(search="OPEN")] == ["org/open"]
    assert [model.id for model in api.list_models(search="org", limit=5)] == ["org/open", "org/gated"]
    assert api.model_info("alone").id == "alone"


@pytest.mark.parametrize(
    ("name", "revision", "file", "token", "error", "status"),
    [
        ("org/missing", "main", "config.json", False, "RepositoryNotFoundError", 401),
        ("org/missing", "main", "config.json", "hf_stranger", "RepositoryNotFoundError", 404),
        ("org/private", "main", "config.json", False, "RepositoryNotFoundError", 401),
        ("org/gated", "main", "config.json", False, "GatedRepoError", 401),
        ("org/gated", "main", "config.json", "hf_stranger", "GatedRepoError", 403),
        ("org/open", "main", "config.json", "hf_wrong", "HfHubHTTPError", 401),
        ("org/open", "v9", "config.json", False, "RevisionNotFoundError", 404),
        ("org/open", "main", "absent.json", False, "RemoteEntryNotFoundError", 404),
    ],
)
def test_the_real_client_is_refused_as_by_the_real_hub(
    hub: HubServer, hub_online: None, name: str, revision: str, file: str, token: str | bool, error: str, status: int
) -> None:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    with pytest.raises(HfHubHTTPError) as raised:
        get_hf_file_metadata(hf_hub_url(name, file, revision=revision, endpoint=hub.url), token=token)

    assert (type(raised.value).__name__, raised.value.response.status_code) == (error, status)


def test_what_is_gated_or_private_opens_to_its_token_and_the_lists_of_a_gated_repo_to_all(
    hub: HubServer, hub_online: None, tmp_path: Path
) -> None:
    from huggingface_hub import HfApi

    assert HfApi(endpoint=hub.url).model_info("org/gated").gated == "manual"
    for name in ("org/gated", "org/private"):
        api = HfApi(endpoint=hub.url, token="hf_member")
        assert contents(api.snapshot_download(name, cache_dir=tmp_path / ".cache", local_dir=tmp_path / name)) == FILES


def test_a_branch_moves_on_and_its_old_commit_can_still_be_fetched() -> None:
    repo = Repo({"config.json": b"old", "model.bin": b"old weights"})
    before = repo.commit
    repo.push({"config.json": b"new"})
    repo.push({"config.json": b"tagged"}, ref="refs/pr/1")
    with HubServer({"org/moving": repo}) as hub:
        assert repo.commit != before
        assert get(hub, "/org/moving/resolve/main/config.json")[2] == b"new"
        assert get(hub, "/org/moving/resolve/refs%2Fpr%2F1/config.json")[2] == b"tagged"
        assert get(hub, f"/org/moving/resolve/{before}/model.bin")[2] == b"old weights"


def test_a_part_of_a_file_is_delivered_as_it_was_asked_for(hub: HubServer) -> None:
    status, headers, body, _ = get(hub, LARGE, ranges="bytes=1000-")
    assert (status, headers["Content-Range"], body) == (206, "bytes 1000-307199/307200", WEIGHTS[1000:])
    assert get(hub, LARGE, ranges="bytes=5-6")[2] == WEIGHTS[5:7]
    assert get(hub, LARGE, ranges="bytes=-3")[2] == WEIGHTS[-3:]
    assert hub.bytes_sent("model.safetensors") == len(WEIGHTS) - 1000 + 2 + 3
    assert hub.deliveries("model.safetensors") == 0

    status, headers, body, _ = get(hub, LARGE, ranges="bytes=307200-")
    assert (status, headers["Content-Range"], body) == (416, "bytes */307200", b"")
    assert [request.range for request in hub.requests(where="cdn")][-1] == "bytes=307200-"


@pytest.mark.parametrize(
    ("fault", "status", "body", "broken"),
    [
        (Fault(cut=70_000), 200, WEIGHTS[:70_000], http.client.IncompleteRead),
        (Fault(reset=0), 200, b"", ConnectionResetError),
        (Fault(short=70_000), 200, WEIGHTS[:70_000], None),
        (Fault(flip=256), 200, WEIGHTS[:256] + b"\x01" + WEIGHTS[257:], None),
        (Fault(slow=10_000_000), 200, WEIGHTS, None),
        (Fault(where="cdn", status=403), 403, b'{"error": "as the test wants it"}', None),
    ],
    ids=["cut", "reset", "short", "flip", "slow", "status"],
)
def test_a_fault_happens_as_often_as_it_was_asked_for(
    hub: HubServer, fault: Fault, status: int, body: bytes, broken: type[Exception] | None
) -> None:
    hub.add(fault)

    found = get(hub, LARGE)

    assert (found[0], found[2], found[3]) == (status, body, broken)
    assert fault.used == 1
    sent = len(body) if fault.status == 0 else 0
    assert hub.bytes_sent() == sent
    assert get(hub, LARGE)[2] == WEIGHTS


def test_a_fault_is_for_what_it_names() -> None:
    with HubServer(REPOS) as hub:
        hub.add(Fault("*/tree/*", status=404, times=ALWAYS))
        hub.add(Fault("config.json", method="HEAD", status=429, headers={"Retry-After": "7"}))
        hub.add(Fault("model.safetensors", etag="wrong", times=ALWAYS))
        hub.add(Fault("model.safetensors", ignore_range=True))

        assert [get(hub, "/api/models/org/open/tree/main")[0] for _ in range(3)] == [404] * 3
        assert get(hub)[0] == 200
        status, headers, body, _ = get(hub, method="HEAD")
        assert (status, headers["Retry-After"], body) == (429, "7", b"")
        assert get(hub, LARGE, ranges="bytes=5-6")[1]["ETag"] == '"wrong"'
        hub.clear()
        hub.add(Fault("model.safetensors", ignore_range=True))
        assert get(hub, LARGE)[0] == 200
        assert (get(hub, LARGE, ranges="bytes=5-6")[0], get(hub, LARGE, ranges="bytes=5-6")[0]) == (200, 206)


@pytest.mark.parametrize(("stall", "path"), [(HEADERS, "/api/models/org/open"), (70_000, LARGE)])
def test_a_stalled_answer_waits_until_it_is_released(hub: HubServer, stall: int, path: str) -> None:
    fault = hub.add(Fault(stall=stall, where="hub" if stall == HEADERS else "cdn"))
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(get(hub, path)[0]))
    asking.start()

    hub.wait_for(lambda: fault.used and hub.bytes_sent() == max(0, stall))
    assert answers == []
    fault.release()
    asking.join()

    assert answers == [200]


def test_a_server_that_is_left_lets_go_of_who_waits() -> None:
    with HubServer(REPOS) as hub:
        fault = hub.add(Fault(stall=0))
        asking = threading.Thread(target=lambda: get(hub))
        asking.start()
        hub.wait_for(lambda: fault.used)
    asking.join()


def test_what_does_not_belong_to_fetching_is_noted(hub: HubServer) -> None:
    assert get(hub, "/api/agent-harnesses")[0] == 404
    assert get(hub, "/org/open/resolve/main/absent")[0] == 404
    assert hub.unwanted() == ["/api/agent-harnesses"]


def test_a_wrong_byte_passes_the_real_client_and_shows_in_the_checksums(
    hub: HubServer, hub_online: None, tmp_path: Path
) -> None:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=hub.url)
    hub.add(Fault("model.safetensors", flip=1000))
    api.snapshot_download("org/open", cache_dir=tmp_path / ".cache", local_dir=tmp_path)

    checked = api.verify_repo_checksums("org/open", local_dir=tmp_path)
    assert [mismatch["path"] for mismatch in checked.mismatches] == ["model.safetensors"]
