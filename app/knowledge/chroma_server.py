"""A Chroma server that keeps the vectors: the few requests that an index needs, none of which can hang.

They are written here, in Chroma's HTTP API v2: chromadb's own client waits for ever for a server that takes a
connection and says nothing.
"""

from __future__ import annotations

import json
import re
import secrets
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, NoReturn

import httpx

from app.errors import DataFolderError, VectorsUnavailable, one_line
from app.offline import guard

if TYPE_CHECKING:
    from app.config import Settings
    from app.knowledge.embedder import Vectors

CONNECT_SECONDS = 3.0
SECONDS = 20.0
"""For a whole request, from the look-up of the name to the last byte."""
_LONGEST_REPLY = 64 * 1024 * 1024
_API = "/api/v2/tenants/default_tenant/databases/default_database/collections"
_HINT = "Start it (`chroma run --path FOLDER`), correct CHROMA_URL, or unset it to keep the vectors in DATA_DIR."


class ChromaServer:
    """The server CHROMA_URL, as far as this data folder is concerned: its collections there carry its id."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.chroma_url
        self._token = settings.chroma_token
        self._offline = settings.offline
        self._prefix = f"hotswap-{_own_id(settings.data_dir / 'chroma-id')}-"

    def get_or_create_collection(
        self, name: str, *, embedding_function: None, configuration: dict[str, Any]
    ) -> ServerCollection:
        """The collection of that name. Raises VectorsUnavailable."""
        body = {"name": self._prefix + name, "configuration": configuration, "get_or_create": True}
        found = self.ask("POST", "", body)
        try:
            return ServerCollection(self, str(uuid.UUID(found["id"])))
        except (KeyError, TypeError, ValueError, AttributeError):
            self.no_chroma()

    def delete_collection(self, name: str) -> None:
        """Delete it with all that it holds. Raises VectorsUnavailable."""
        self.ask("DELETE", f"/{self._prefix}{name}")

    def close(self) -> None:
        """Let go of the connections."""
        if "_http" in vars(self):  # cached: it was used
            self._http.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of the reply. Raises VectorsUnavailable."""
        self._check_address()
        answer: Future[tuple[int, bytes]] = Future()
        until = time.monotonic() + SECONDS

        def work() -> None:
            try:
                answer.set_result(self._read(method, path, body, until))
            except BaseException as error:
                answer.set_exception(error)

        # Of a thread of its own one need not wait for the end: no time-out holds for the look-up of a name.
        Thread(target=work, daemon=True, name="chroma-server").start()
        try:
            status, content = answer.result(SECONDS)
        except (TimeoutError, httpx.TimeoutException):
            raise VectorsUnavailable(f"The Chroma server at {self.shown} did not answer in time.", _HINT) from None
        except (httpx.HTTPError, ImportError, ValueError) as error:  # the last two: an impossible name or proxy
            reason = one_line(error)[:200] or type(error).__name__
            raise VectorsUnavailable(f"The Chroma server at {self.shown} cannot be reached: {reason}.", _HINT) from None
        return self._understood(status, content)

    def no_chroma(self, status: int = 200) -> NoReturn:
        """Raises VectorsUnavailable: the reply was none of Chroma's."""
        raise VectorsUnavailable(
            f"{self.shown} answers (HTTP {status}), but not as a Chroma server of version 1 does.", _HINT
        )

    @cached_property
    def shown(self) -> str:
        """The address as messages may show it: without user name and password."""
        return str(httpx.URL(self._url).copy_with(userinfo=b""))

    def _check_address(self) -> None:
        try:
            host = httpx.URL(self._url).host
        except httpx.InvalidURL as error:
            raise VectorsUnavailable(f"CHROMA_URL is no valid address: {error}.", "Correct it.") from None
        if self._offline and not guard.is_here(host):
            raise VectorsUnavailable(guard.words(host), "Unset OFFLINE, or set CHROMA_URL to a server on this machine.")

    @cached_property
    def _http(self) -> httpx.Client:
        return httpx.Client(
            headers={"Authorization": f"Bearer {self._token}"} if self._token else {},
            timeout=httpx.Timeout(SECONDS, connect=CONNECT_SECONDS),
            trust_env=not guard.is_here(httpx.URL(self._url).host),  # a proxy never leads to this machine
        )

    def _read(self, method: str, path: str, body: Any, until: float) -> tuple[int, bytes]:
        content = bytearray()
        with self._http.stream(method, f"{self._url}{_API}{path}", json=body) as response:
            for piece in response.iter_bytes():
                content += piece
                if time.monotonic() > until or len(content) > _LONGEST_REPLY:
                    raise httpx.ReadError("a reply without an end")
        return response.status_code, bytes(content)

    def _understood(self, status: int, content: bytes) -> Any:
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if status < 300 and found is not None:
            return found
        error = found.get("error") if isinstance(found, dict) else None
        if status in (401, 403):
            raise VectorsUnavailable(f"The Chroma server at {self.shown} lets nobody in so.", "Set CHROMA_TOKEN.")
        if error == "NotFoundError":
            raise VectorsUnavailable(
                f"The Chroma server at {self.shown} has lost its vectors.",
                "Try again: they are written anew from the stored texts.",
            )
        if status < 500 and error is None:
            self.no_chroma(status)
        told = one_line(found.get("message", ""))[:200] if isinstance(found, dict) else ""
        raise VectorsUnavailable(
            f"The Chroma server at {self.shown} failed: {told or f'HTTP {status}'}.", "Its log has the details."
        )


class ServerCollection:
    """A collection of a server, with the methods of chromadb's own. All raise VectorsUnavailable."""

    def __init__(self, server: ChromaServer, number: str) -> None:
        self.id = number
        self._server = server

    def count(self) -> int:
        """How many ids there are."""
        found = self._server.ask("GET", f"/{self.id}/count")
        return found if isinstance(found, int) else self._server.no_chroma()

    def upsert(self, *, ids: Sequence[str], embeddings: Vectors) -> None:
        """Store or overwrite."""
        self._server.ask("POST", f"/{self.id}/upsert", {"ids": ids, "embeddings": embeddings.tolist()})

    def delete(self, *, ids: Sequence[str]) -> None:
        """Forget; unknown ids are ignored."""
        self._server.ask("POST", f"/{self.id}/delete", {"ids": ids})

    def query(self, *, query_embeddings: Sequence[Vectors], n_results: int, include: Sequence[str]) -> dict[str, Any]:
        """The nearest of each: ``ids`` and ``distances``."""
        asked = [vector.tolist() for vector in query_embeddings]
        body = {"query_embeddings": asked, "n_results": n_results, "include": include}
        found = self._server.ask("POST", f"/{self.id}/query", body)
        try:
            if all(len(found[key]) == len(asked) for key in ("ids", "distances")):
                return dict(found)
        except (KeyError, TypeError):
            pass
        self._server.no_chroma()


def _own_id(file: Path) -> str:
    """The id of a data folder, random and made once: several may share a server. Raises DataFolderError."""
    try:
        known = file.read_text(encoding="ascii").strip() if file.exists() else ""
        if not re.fullmatch(r"[0-9a-f]{16}", known):
            known = secrets.token_hex(8)
            new = file.with_suffix(".new")
            new.write_text(known, encoding="ascii")
            new.replace(file)
    except (OSError, UnicodeError) as error:
        raise DataFolderError(f"{file} cannot be used: {error}.", "Check DATA_DIR's permissions.") from error
    return known
