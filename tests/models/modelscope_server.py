"""A ModelScope of the tests' own: what ``modelscope_hub`` speaks to modelscope.cn, misbehaving when told to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import pytest

from tests.models.faults import Reply, Request, json_reply
from tests.models.faulty_server import FaultyServer
from tests.models.hub_server import File, Repo, stored_reply, stored_url

MODEL = re.compile(r"/(?P<api>api|openapi)/v1/models/(?P<repo>[^/]+/[^/]+)(?:/(?P<what>repo/files|repo|revisions))?")


class ModelScopeServer(FaultyServer):
    """Serves these repos (by name, "org/name"); their branch "main" is called "master" here.

    ``tokens`` are of accounts that may read what is open, beside the repos' own; any other token is refused.
    """

    def __init__(self, repos: Mapping[str, Repo], *, tokens: Collection[str] = ()) -> None:
        super().__init__()
        self.repos = dict(repos)
        self._tokens = set(tokens)

    def answer(self, request: Request) -> Reply:
        if request.where == "cdn":
            return stored_reply(self.repos, request)
        if request.path == "/openapi/v1/models":
            return self._search(request)
        if request.path == "/api/v1/repos/internalAccelerationInfo":
            return _found({"InternalRegionQueryAddress": ""})
        match = MODEL.fullmatch(request.raw_path)
        if not match:
            return Reply(404, known=False)
        name, path = unquote(match["repo"]), request.query.get("FilePath", "")
        reply = self._refusal(request, name) or self._model(request, match["api"], name, match["what"] or "", path)
        reply.repo, reply.file = name, path
        return reply

    def _refusal(self, request: Request, name: str) -> Reply | None:
        """Why this caller cannot have it."""
        repo, token = self.repos.get(name), request.token
        if token and token not in self._tokens | {repo.token for repo in self.repos.values()}:
            return _refused(401, 10010103009, "AccessToken is invalid or expired")
        if repo is None or (repo.private and not repo.lets_in(token)):
            return _refused(404, 10010205001, "模型不存在")
        if repo.gated and not repo.lets_in(token):
            return _refused(403, 10990103003, "access denied") if token else _refused(401, 10990101003, "用户未登录")
        return None

    def _model(self, request: Request, api: str, name: str, what: str, path: str) -> Reply:
        repo = self.repos[name]
        if api == "openapi":
            return json_reply(200, {"success": True, "data": _listed(name, repo)})
        if what == "":
            owner, _, short = name.partition("/")
            return _found({"Path": owner, "Name": short, "Visibility": 1 if repo.private else 5})
        if what == "revisions":
            branches = [{"Revision": "master" if ref == "main" else ref} for ref in repo.refs]
            return _found({"RevisionMap": {"Branches": branches, "Tags": []}})
        revision = request.query.get("Revision", "master")
        found = repo.at("main" if revision == "master" else revision)
        if found is None:
            return _refused(404, 10010205002, f"revision {revision} does not exist")
        commit, files = found
        if what == "repo/files":
            return self._files(request, commit, files)
        if path not in files:
            return _refused(404, 10010205003, f"file {path} does not exist")
        file = files[path]
        if file.large:
            return Reply(302, b"", {"Location": stored_url(self.cdn_url, name, path, file)})
        return Reply(200, file.data, {"ETag": f'"{file.sha256}"'}, file_body=True)

    def _files(self, request: Request, commit: str, files: Mapping[str, File]) -> Reply:
        """At most 3000, as there, and not a word of the others."""
        root = request.query.get("Root", "").strip("/")
        inside = f"{root}/" if root else ""
        entries: dict[str, dict[str, Any]] = {}
        for path, file in files.items():
            if not path.startswith(inside):
                continue
            for parent in reversed([str(parent) for parent in PurePosixPath(path).parents]):
                if parent.startswith(inside) and parent not in (".", root):
                    entries[parent] = _entry(parent, commit, {"Type": "tree", "Size": 0, "Sha256": "", "IsLFS": False})
            content = {"Type": "blob", "Size": len(file.data), "Sha256": file.sha256, "IsLFS": file.large}
            entries[path] = _entry(path, commit, content)
        if root and not entries:
            return _refused(404, 10010205003, f"folder {root} does not exist")
        listed = list(entries.values())
        if request.query.get("Recursive", "").lower() != "true":
            listed = [entry for entry in listed if "/" not in entry["Path"].removeprefix(inside)]
        return _found({"Files": listed[:3000]})

    def _search(self, request: Request) -> Reply:
        wanted, owner = request.query.get("search", "").lower(), request.query.get("owner", "")
        found = [
            _listed(name, repo)
            for name, repo in self.repos.items()
            if wanted in name.lower() and name.startswith(owner) and (not repo.private or repo.lets_in(request.token))
        ]
        page, size = int(request.query.get("page_number", 1)), int(request.query.get("page_size", 10))
        here = found[(page - 1) * size : page * size]
        data = {"models": here, "total_count": len(found), "page_number": page, "page_size": size}
        return json_reply(200, {"success": True, "data": data})


def _entry(path: str, commit: str, content: Mapping[str, Any]) -> dict[str, Any]:
    name = PurePosixPath(path).name
    return {"Name": name, "Path": path, "Revision": commit, "CommittedDate": 1769853600, "InCheck": False, **content}


def _listed(name: str, repo: Repo) -> dict[str, Any]:
    return {"id": name, "display_name": name.rpartition("/")[2], "private": repo.private, "gated": repo.gated}


def _found(data: Any) -> Reply:
    return json_reply(
        200, {"Code": 200, "Data": data, "Message": "success", "RequestId": "of-the-tests", "Success": True}
    )


def _refused(status: int, code: int, message: str) -> Reply:
    return json_reply(status, {"Code": code, "Message": message, "RequestId": "of-the-tests", "Success": False})


@pytest.fixture
def modelscope_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Keeps the client's own files, and a token that the developer is logged in with, out of the test."""
    from modelscope_hub.config import get_default_config, set_default_config

    for variable in ("MODELSCOPE_API_TOKEN", "MODELSCOPE_ENDPOINT", "MODELSCOPE_DOMAIN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path / ".modelscope"))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / ".modelscope" / "cache"))
    before = get_default_config()
    set_default_config(None)
    yield
    set_default_config(before)
