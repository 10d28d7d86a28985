"""The Hugging Face hub and its mirrors, through huggingface_hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from app.errors import DownloadError, ModelNotOffered, Offline, SourceUnavailable
from app.models.sources.base import (
    PATIENCE,
    PIECE,
    Body,
    Interrupted,
    Listing,
    RemoteFile,
    checked,
    gated,
    nearest,
    refusal,
    unavailable,
)

if TYPE_CHECKING:
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile, RepoSibling

_FOUND = 20  # models that one search for names brings
_NEWEST = "main"  # as the client itself asks, which every mirror answers
_AT_ONCE = 8  # files that are asked about
_SHA256 = re.compile(r"[0-9a-f]{64}")


class HubSource:
    """The hub at ``endpoint``. ``token`` empty: none is sent; None: the one that the environment or a login has."""

    def __init__(self, endpoint: str, token: str | None = None) -> None:
        self.label = urlsplit(endpoint).netloc or endpoint
        self._endpoint = endpoint.rstrip("/")
        self._token = False if token == "" else token

    def listing(self, name: str, revision: str) -> Listing:
        """As in :class:`Source`."""
        with self._translated(name, revision):
            info = self._api.model_info(name, revision=revision or _NEWEST, files_metadata=True, timeout=PATIENCE)
        commit = info.sha or revision or _NEWEST
        files = self._tree(name, commit) or [
            RemoteFile(item.rfilename, item.size, _checksum(item)) for item in info.siblings or []
        ]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return Listing(name, commit, tuple(pool.map(partial(self._told, name, commit), checked(iter(files)))))

    @contextmanager
    def open(self, listing: Listing, file: RemoteFile, start: int) -> Iterator[Body]:
        """As in :class:`Source`."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils._headers import build_hf_headers
        from huggingface_hub.utils._http import hf_raise_for_status, http_stream_backoff

        url = hf_hub_url(listing.name, file.path, revision=listing.commit, endpoint=self._endpoint)
        headers = {**build_hf_headers(token=self._token), "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        once: dict[str, Any] = {"max_retries": 0, "retry_on_exceptions": (), "retry_on_status_codes": ()}
        _limit_patience()
        with (
            self._translated(listing.name, listing.commit, known=True, file=file.path),
            http_stream_backoff("GET", url, headers=headers, **once) as response,
        ):
            hf_raise_for_status(response)
            yield Body(start if response.status_code == 206 else 0, response.iter_bytes(PIECE))

    def nearest(self, name: str) -> list[str]:
        """As in :class:`Source`."""
        owner, _, short = name.rpartition("/")
        words = re.split(r"[-_.]", short)
        asked = [{"search": "-".join(words[:count])} for count in range(len(words), 0, -1)[:3]]
        found: dict[str, None] = {}
        try:
            for question in [{"author": owner}] * bool(owner) + asked:
                models = self._api.list_models(limit=_FOUND, **question)
                found.update(dict.fromkeys(model.id for model in models))
        except Exception:  # this only makes an error friendlier
            return []
        return nearest(name, found)

    @cached_property
    def _api(self) -> HfApi:
        from huggingface_hub import HfApi
        from huggingface_hub.utils.logging import set_verbosity_error

        _limit_patience()
        set_verbosity_error()  # type: ignore[no-untyped-call]  # what it would warn of is our own affair: we try again
        return HfApi(endpoint=self._endpoint, token=self._token)

    def _tree(self, name: str, commit: str) -> list[RemoteFile]:
        """The files with their checksums; empty where a mirror has no such page."""
        from huggingface_hub.hf_api import RepoFile

        try:
            with self._translated(name, commit, known=True):
                entries = list(self._api.list_repo_tree(name, recursive=True, revision=commit))
        except DownloadError:
            return []
        return [
            RemoteFile(entry.path, entry.size, _checksum(entry)) for entry in entries if isinstance(entry, RepoFile)
        ]

    def _told(self, name: str, commit: str, file: RemoteFile) -> RemoteFile:
        """``file`` with what it says of itself, where a mirror's lists tell neither its size nor its checksum."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        if file.size is not None and file.checksum:
            return file
        url = hf_hub_url(name, file.path, revision=commit, endpoint=self._endpoint)
        try:
            with self._translated(name, commit, known=True, file=file.path):
                told = get_hf_file_metadata(url, token=self._token, timeout=PATIENCE)
        except DownloadError:  # it is said where the file is wanted
            return file
        is_sha256 = _SHA256.fullmatch(told.etag or "")
        size = told.size if file.size is None else file.size
        return RemoteFile(file.path, size, file.checksum or (f"sha256:{told.etag}" if is_sha256 else ""))

    @contextmanager
    def _translated(self, name: str, revision: str, *, known: bool = False, file: str = "") -> Iterator[None]:
        """The hub's errors as ours. ``known``: that it has the model is certain; ``file``: one that it listed."""
        import httpx
        from huggingface_hub import errors

        page = f"{self._endpoint}/{name}"
        try:
            yield
        except errors.OfflineModeIsEnabled:
            raise Offline("Nothing can be fetched while HF_HUB_OFFLINE is set.", "Unset it.") from None
        except errors.GatedRepoError:
            raise gated(name, self.label, page, token=self._sends_token, variable=self._variable) from None
        except errors.RevisionNotFoundError:
            hint = f"See {page} for what there is, or leave --revision out."
            raise ModelNotOffered(f"{name} has no revision {revision} at {self.label}.", hint) from None
        except errors.HFValidationError:
            raise ModelNotOffered(f"{name!r} is no model's name.", "Write it as in Qwen/Qwen3-8B.") from None
        except errors.HfHubHTTPError as error:
            reply = error.response
            if reply.history and reply.status_code in (401, 403):  # a signed address that is valid for a while
                what = f"where it keeps its files, it answers with an error ({reply.status_code})"
                raise Interrupted(unavailable(self.label, what)) from None
            raise refusal(
                reply.status_code,
                name,
                self.label,
                page,
                token=self._sends_token,
                known=known,
                file=file,
                wait=_wait(reply.headers.get("Retry-After", "")),
                variable=self._variable,
            ) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise unavailable(self.label, f"{self._endpoint} is no address") from None
        except httpx.HTTPError as error:
            raise Interrupted(unavailable(self.label, _reason(error))) from None
        except (ValueError, LookupError, TypeError, AttributeError):
            if file:
                raise
            raise SourceUnavailable(
                f"{self.label} answers, but is no hub of models.", "Correct --source or HF_ENDPOINT."
            ) from None

    @property
    def _variable(self) -> str:
        return "" if self._token is False else "HF_TOKEN"

    @property
    def _sends_token(self) -> bool:
        from huggingface_hub import get_token

        return self._token is not False and bool(self._token or get_token())


@lru_cache(maxsize=1)
def _limit_patience() -> None:
    """Have every request of huggingface_hub fail after a silence; its own client waits for ever."""
    import httpx
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    def limit(request: httpx.Request) -> None:  # some of its functions ask for no limit by themselves
        request.extensions["timeout"] = httpx.Timeout(PATIENCE).as_dict()

    def client() -> httpx.Client:
        made = default_client_factory()
        made.event_hooks["request"].append(limit)
        return made

    set_client_factory(client)


def _checksum(entry: RepoSibling | RepoFile) -> str:
    """Large files have a SHA-256 beside the id of their pointer's blob, which tells nothing of their bytes."""
    return f"sha256:{entry.lfs.sha256}" if entry.lfs else f"git:{entry.blob_id}" if entry.blob_id else ""


def _wait(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0


def _reason(error: Exception) -> str:
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return f"nothing came for {PATIENCE:.0f} s"
    if isinstance(error, httpx.ConnectError):
        return str(error).partition("] ")[2] or str(error)
    return "the connection broke off"
