"""A hub of the tests' own: it speaks what ``huggingface_hub`` speaks to huggingface.co, and misbehaves when told to."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pytest

from tests.models.faults import Reply, Request, json_reply
from tests.models.faulty_server import FaultyServer

LARGE = ("*.safetensors", "*.bin", "*.gguf", "*.h5", "*.model", "*.msgpack", "*.onnx", "*.pt", "*.pth")
API = re.compile(
    r"/api/models/(?P<repo>[^/]+(?:/[^/]+)?)(?:/(?P<what>revision|tree)/(?P<revision>[^/]+)(?P<path>/.*)?)?"
)
RESOLVE = re.compile(r"/(?P<repo>[^/]+(?:/[^/]+)?)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
STORED = re.compile(r"/repos/(?P<repo>[^/]+(?:/[^/]+)?)/(?P<sha256>[0-9a-f]{64})/(?P<path>.+)")


@dataclass(frozen=True)
class File:
    data: bytes
    large: bool  # kept as LFS, delivered by the CDN

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def pointer(self) -> bytes:
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.data)}\n".encode()

    @cached_property
    def oid(self) -> str:
        """Of the git blob, which for a large file is its pointer."""
        return git_blob_id(self.pointer if self.large else self.data)


def git_blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Repo:
    """A model: files by path. ``token`` is the one that may read it where it is gated or private."""

    files: Mapping[str, bytes]
    gated: bool = False
    private: bool = False
    token: str = ""
    large: Collection[str] = LARGE  # patterns of the files that are LFS
    refs: dict[str, str] = field(default_factory=dict)  # branch or tag -> commit
    _commits: dict[str, dict[str, File]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.push(self.files)

    @classmethod
    def of(cls, folder: Path, **how: Any) -> Repo:
        """With the files of a folder on this disk."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return cls({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}, **how)

    @property
    def commit(self) -> str:
        return self.refs["main"]

    def lets_in(self, token: str) -> bool:
        return bool(token) and token == self.token

    def push(self, files: Mapping[str, bytes], ref: str = "main") -> str:
        """From now on these are all the files of a branch or tag; the commit, older ones can still be fetched."""
        kept = {
            path: File(files[path], any(fnmatchcase(path, pattern) for pattern in self.large)) for path in sorted(files)
        }
        commit = hashlib.sha1("".join(f"{path} {file.oid}\n" for path, file in kept.items()).encode()).hexdigest()
        self._commits[commit] = kept
        self.refs[ref] = commit
        return commit

    def at(self, revision: str) -> tuple[str, dict[str, File]] | None:
        """The commit that a branch, a tag or a commit names, and its files."""
        commit = self.refs.get(revision, revision)
        return (commit, self._commits[commit]) if commit in self._commits else None

    def stored(self, path: str, sha256: str) -> File | None:
        """The file of this content, of whatever commit."""
        versions = [files[path] for files in self._commits.values() if path in files]
        return next((file for file in versions if file.sha256 == sha256), None)


class HubServer(FaultyServer):
    """Serves these repos (by name, "org/name" or "name"), without xet, as huggingface.co does.

    ``tokens`` are of accounts that may read what is open, beside the repos' own; any other token is refused.
    A page of a file list has ``page_size`` entries.
    """

    def __init__(self, repos: Mapping[str, Repo], *, tokens: Collection[str] = (), page_size: int = 1000) -> None:
        super().__init__()
        self.repos = dict(repos)
        self.page_size = page_size
        self._tokens = set(tokens)

    def answer(self, request: Request) -> Reply:
        if request.where == "cdn":
            return stored_reply(self.repos, request)
        if request.raw_path == "/api/models":
            return self._search(request)
        if match := API.fullmatch(request.raw_path):
            name, revision = unquote(match["repo"]), unquote(match["revision"] or "main")
            reply = self._refusal(request, name, revision) or (
                self._tree(request, name, revision, unquote(match["path"] or "").strip("/"))
                if match["what"] == "tree"
                else self._info(request, name, revision)
            )
            reply.repo = name
            return reply
        if match := RESOLVE.fullmatch(request.raw_path):
            name, revision, path = unquote(match["repo"]), unquote(match["revision"]), unquote(match["path"])
            reply = self._refusal(request, name, revision, content=True) or self._resolve(name, revision, path)
            reply.repo, reply.file = name, path
            return reply
        return Reply(404, known=False)

    def _refusal(self, request: Request, name: str, revision: str, *, content: bool = False) -> Reply | None:
        """Why this caller cannot have it; the lists of a gated repo are open, its files are not."""
        repo, token = self.repos.get(name), request.token
        if token and token not in self._tokens | {repo.token for repo in self.repos.values()}:
            return _refused(401, "", "Invalid credentials in Authorization header")
        if repo is None or (repo.private and not repo.lets_in(token)):
            # Who is not logged in does not learn whether it is missing or private.
            return (
                _refused(404, "RepoNotFound", "Repository not found")
                if token
                else _refused(401, "RepoNotFound", "Invalid username or password.")
            )
        if content and repo.gated and not repo.lets_in(token):
            why = f"Access to model {name} is restricted"
            return (
                _refused(403, "GatedRepo", f"{why} and you are not in the authorized list. Visit {self.url}/{name}")
                if token
                else _refused(401, "GatedRepo", f"{why}. You must have access to it and be authenticated to access it.")
            )
        if repo.at(revision) is None:
            return _refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return None

    def _files(self, name: str, revision: str) -> tuple[str, dict[str, File]]:
        found = self.repos[name].at(revision)
        assert found, "_refusal() comes before"
        return found

    def _search(self, request: Request) -> Reply:
        words = request.query.get("search", "").lower().split()
        names = [
            name
            for name, repo in self.repos.items()
            if all(word in name.lower() for word in words) and (not repo.private or repo.lets_in(request.token))
        ]
        limit = int(request.query.get("limit", 1000))
        return json_reply(200, [{"id": name, "modelId": name, "private": False} for name in names[:limit]])

    def _info(self, request: Request, name: str, revision: str) -> Reply:
        repo = self.repos[name]
        commit, files = self._files(name, revision)
        siblings: list[dict[str, Any]] = [{"rfilename": path} for path in files]
        if request.query.get("blobs", "").lower() == "true":
            for sibling, file in zip(siblings, files.values(), strict=True):
                sibling |= {"size": len(file.data), "blobId": file.oid}
                if file.large:
                    sibling["lfs"] = {"sha256": file.sha256, **_sizes(file)}
        return json_reply(
            200,
            {
                "_id": commit[:24],
                "id": name,
                "modelId": name,
                "author": name.rpartition("/")[0],
                "sha": commit,
                "private": repo.private,
                "gated": "manual" if repo.gated else False,
                "disabled": False,
                "lastModified": "2026-01-31T10:00:00.000Z",
                "tags": [],
                "downloads": 0,
                "likes": 0,
                "siblings": siblings,
            },
        )

    def _tree(self, request: Request, name: str, revision: str, folder: str) -> Reply:
        _, files = self._files(name, revision)
        inside = f"{folder}/" if folder else ""
        entries: dict[str, dict[str, Any]] = {}
        for path, file in files.items():
            if not path.startswith(inside):
                continue
            for parent in reversed([parent.as_posix() for parent in Path(path).parents]):
                if parent.startswith(inside) and parent not in (".", folder):
                    oid = hashlib.sha1(parent.encode()).hexdigest()
                    entries[parent] = {"type": "directory", "oid": oid, "size": 0, "path": parent}
            entries[path] = {"type": "file", "oid": file.oid, "size": len(file.data), "path": path}
            if file.large:
                entries[path]["lfs"] = {"oid": file.sha256, **_sizes(file)}
        if folder and not entries:
            return _refused(404, "EntryNotFound", f"{folder} does not exist on {revision!r}")
        listed = list(entries.values())
        if request.query.get("recursive", "").lower() != "true":
            listed = [entry for entry in listed if "/" not in entry["path"].removeprefix(inside)]
        size = min(self.page_size, int(request.query.get("limit", self.page_size)))
        start = int(request.query.get("cursor", 0))
        headers = {}
        if start + size < len(listed):
            query = urlencode({**request.query, "cursor": start + size})
            headers["Link"] = f'<{self.url}{request.raw_path}?{query}>; rel="next"'
        return json_reply(200, listed[start : start + size], headers)

    def _resolve(self, name: str, revision: str, path: str) -> Reply:
        commit, files = self._files(name, revision)
        file = files.get(path)
        if file is None:
            return _refused(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})
        if not file.large:
            return Reply(200, file.data, {"ETag": f'"{file.oid}"', "X-Repo-Commit": commit}, file_body=True)
        headers = {
            "Location": stored_url(self.cdn_url, name, path, file),
            "X-Repo-Commit": commit,
            "X-Linked-ETag": f'"{file.sha256}"',
            "X-Linked-Size": str(len(file.data)),
            "Accept-Ranges": "bytes",
        }
        return Reply(302, b"Found. Redirecting", headers)


def stored_url(cdn: str, name: str, path: str, file: File) -> str:
    """The signed address of a large file."""
    return f"{cdn}/repos/{name}/{file.sha256}/{quote(path)}?Signature={_signature(file.sha256)}"


def stored_reply(repos: Mapping[str, Repo], request: Request) -> Reply:
    """What the CDN says to a signed address; it knows no accounts."""
    match = STORED.fullmatch(request.raw_path)
    if not match:
        return Reply(404, known=False)
    name, sha256, path = unquote(match["repo"]), match["sha256"], unquote(match["path"])
    file = repos[name].stored(path, sha256) if name in repos else None
    if file is None or request.query.get("Signature") != _signature(sha256):
        return Reply(403, b"<Error><Code>AccessDenied</Code></Error>", repo=name, file=path)
    return Reply(200, file.data, {"ETag": f'"{sha256}"'}, name, path, file_body=True)


def _sizes(file: File) -> dict[str, int]:
    return {"size": len(file.data), "pointerSize": len(file.pointer)}


def _signature(sha256: str) -> str:
    return hmac.new(b"the tests", sha256.encode(), "sha256").hexdigest()[:16]


def _refused(status: int, code: str, message: str, headers: Mapping[str, str] = {}) -> Reply:
    named = {"X-Error-Code": code} if code else {}
    return json_reply(status, {"error": message}, {**named, "X-Error-Message": message, **headers})


@contextmanager
def online() -> Iterator[None]:
    """Lets ``huggingface_hub`` talk in this process, which the tests' environment forbids; to this machine alone.

    Without telemetry, and without a token that the developer is logged in with.
    """
    from huggingface_hub import close_session, constants

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        patch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
        yield
    close_session()


@pytest.fixture
def hub_online() -> Iterator[None]:
    with online():
        yield
