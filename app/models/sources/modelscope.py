"""ModelScope, through its own client, an optional package."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.errors import DownloadError
from app.models.sources.base import (
    PIECE,
    Body,
    Interrupted,
    Listing,
    RemoteFile,
    checked,
    nearest,
    refusal,
    unavailable,
)

if TYPE_CHECKING:
    from modelscope_hub import HubApi

_FOUND = 20  # models that one search for names brings


class ModelScopeSource:
    """ModelScope at ``endpoint`` (empty: its usual address, or MODELSCOPE_ENDPOINT)."""

    def __init__(self, endpoint: str = "", token: str = "") -> None:
        self._endpoint, self._token = endpoint, token
        self.label = urlsplit(endpoint).netloc or "ModelScope"

    def listing(self, name: str, revision: str) -> Listing:
        """As in :class:`Source`."""
        commit = revision or "master"
        with self._translated(name):
            entries = self._api.list_repo_files(name, "model", revision=commit)
        files = (
            RemoteFile(entry.path, entry.size, f"sha256:{entry.sha256}" if entry.sha256 else "")
            for entry in entries
            if not entry.is_dir
        )
        return Listing(name, commit, checked(files))

    @contextmanager
    def open(self, listing: Listing, file: RemoteFile, start: int) -> Iterator[Body]:
        """As in :class:`Source`."""
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        with self._translated(listing.name, file.path):
            response = self._api.legacy.download_stream(
                listing.name, "model", file.path, listing.commit, headers=headers
            )
            with response:
                yield Body(start if response.status_code == 206 else 0, response.iter_content(PIECE))

    def nearest(self, name: str) -> list[str]:
        """As in :class:`Source`."""
        owner, _, short = name.rpartition("/")
        found: dict[str, None] = {}
        try:
            for search, by in ((short, None), (None, owner))[: 2 if owner else 1]:
                page = self._api.list_repos("model", search=search, owner=by, page_size=_FOUND)
                found.update(dict.fromkeys(str(item.id) for item in page.items))
        except Exception:  # this only makes an error friendlier
            return []
        return nearest(name, found)

    @cached_property
    def _api(self) -> HubApi:
        try:
            from modelscope_hub import HubApi
        except ImportError:
            raise DownloadError(
                "ModelScope's client is not installed.", "Run `pip install modelscope`, or take another --source."
            ) from None
        logging.getLogger("modelscope_hub").setLevel(logging.ERROR)  # what it warns of is our own affair: we try again
        return HubApi(endpoint=self._endpoint or None, token=self._token or None)

    @contextmanager
    def _translated(self, name: str, file: str = "") -> Iterator[None]:
        """The client's errors as ours; ``file`` is one that ModelScope listed."""
        api = self._api
        import requests
        from modelscope_hub import errors

        page = f"{api.legacy.endpoint}/models/{name}"
        try:
            yield
        except errors.APIError as error:
            status = error.status_code or 500
            if status in (401, 403) and error.url and not error.url.startswith(api.legacy.endpoint):
                what = f"where it keeps its files, it answers with an error ({status})"
                raise Interrupted(unavailable(self.label, what)) from None  # a signed address that is valid for a while
            raise refusal(
                status,
                name,
                self.label,
                page,
                token=bool(api.legacy.token),  # also one of the environment or a login
                known=bool(file),
                file=file,
                wait=float(getattr(error, "retry_after", None) or 0),
                variable="MODELSCOPE_API_TOKEN",
            ) from None
        except (errors.NetworkError, requests.RequestException) as error:
            raise Interrupted(unavailable(self.label, _reason(error))) from None
        except errors.HubError as error:
            raise unavailable(self.label, error.message) from None


def _reason(error: Exception) -> str:
    import requests
    from modelscope_hub import errors

    if isinstance(error, errors.RequestTimeoutError | requests.Timeout):
        return "nothing came for a while"
    return "the connection broke off"
