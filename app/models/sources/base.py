"""What a source of models is: it lists a model's files, sends one from any byte on, and knows names near another."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple, Protocol

from app.errors import DownloadError, ModelGated, ModelNotOffered, ModelUnusable, SourceUnavailable

PATIENCE = 10.0
"""Seconds that a source may be silent."""
_SHOWN = 3  # names like another one
_CLOSE = 0.6  # how like it they must be
PIECE = 128 * 1024
"""Bytes that are written at a time; so much at most is lost when a connection breaks."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that a source has. ``size`` in bytes; ``checksum`` is ``sha256:…``, ``git:…`` (a blob's id) or empty."""

    path: str
    size: int | None
    checksum: str = ""


@dataclass(frozen=True)
class Listing:
    """The files of a model at one ``commit``, which a source goes on serving unchanged."""

    name: str
    commit: str
    files: tuple[RemoteFile, ...]


class Body(NamedTuple):
    """A file's bytes from ``start`` on, which is 0 where the source cannot begin later."""

    start: int
    pieces: Iterator[bytes]


class Interrupted(Exception):
    """What failed may go well the next time.

    ``wait`` is how many seconds the source asks to leave it alone; ``progress`` whether this try got further.
    """

    def __init__(self, error: DownloadError, wait: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait
        self.progress = False


class Source(Protocol):
    """A place that models come from; ``label`` names it for people."""

    label: str

    def listing(self, name: str, revision: str) -> Listing:
        """What ``name`` consists of at ``revision`` (empty: its newest state).

        Raises:
            Interrupted: it may be there.
            DownloadError: it is not, or not for us.
        """

    def open(self, listing: Listing, file: RemoteFile, start: int) -> AbstractContextManager[Body]:
        """The bytes of a file from ``start`` on. Raises as :meth:`listing`, also while they are read."""

    def nearest(self, name: str) -> list[str]:
        """Models whose names are like ``name``, nearest first; none where the source does not tell."""


def checked(files: Iterator[RemoteFile]) -> tuple[RemoteFile, ...]:
    """``files`` in order of their paths. Raises ModelUnusable for one that would lie outside the model's folder."""
    found = sorted(files, key=lambda file: file.path)
    for file in found:
        path = PurePosixPath(file.path)
        odd = "\\" in file.path or ":" in file.path or not file.path.isprintable()
        if odd or path.is_absolute() or ".." in path.parts or not path.parts:
            raise ModelUnusable(f"The source names a file {file.path!r}, outside the model.", "Take another source.")
    return tuple(found)


def nearest(name: str, found: Iterable[str]) -> list[str]:
    """Those of ``found`` whose names are like ``name``, nearest first; the owner counts where ``name`` has one."""
    by_key = {(model if "/" in name else model.rpartition("/")[2]).lower(): model for model in found}
    return [by_key[key] for key in difflib.get_close_matches(name.lower(), by_key, _SHOWN, _CLOSE)]


def refusal(
    status: int,
    name: str,
    label: str,
    page: str,
    *,
    token: bool,
    known: bool = False,
    file: str = "",
    wait: float = 0.0,
    variable: str = "",
) -> Interrupted | DownloadError:
    """What an HTTP status of 400 and more means.

    ``known``: the model is there, so that 401 is about the reader; ``file`` is one that the source listed;
    ``variable`` of the environment may hold the token.
    """
    if status == 401 and token:
        open_to_all = f"a model that is open wants none{f': unset {variable}' if variable else ''}."
        return ModelGated(f"{label} does not accept this token.", f"Give another one (--token); {open_to_all}")
    if status == 401 and not known:
        hint = "Correct the name; a private or gated one wants a token (--token)."
        return ModelNotOffered(f"{label} has no model {name}, or none for this reader.", hint)
    if status in (401, 403):
        return gated(name, label, page, token=token, variable=variable)
    if status in (404, 410) and file:
        hint = "Take another --source or --revision; what came is kept."
        return SourceUnavailable(f"{label} lists {file} of {name}, but does not give it out ({status}).", hint)
    if status in (404, 410):
        return ModelNotOffered(f"{label} has no model {name}.", "Correct the name, or take another --source.")
    if status == 429:
        return Interrupted(
            SourceUnavailable(
                f"{label} limits how much may be asked of it{_seconds(wait)}.",
                "Wait a while and run the command again, or give a token (--token); what came is kept.",
            ),
            wait,
        )
    if status == 408 or status >= 500:
        return Interrupted(unavailable(label, f"it answers with an error ({status})"), wait)
    return SourceUnavailable(f"{label} refuses the request for {name} ({status}).", "Take another --source.")


def gated(name: str, label: str, page: str, *, token: bool, variable: str = "") -> ModelGated:
    """The error for a model that is not for everybody."""
    if token:
        hint = f"Accept its terms at {page} with the account of this token, or give another one (--token)."
    else:
        hint = f"Accept its terms at {page}, then give a token (--token{f' or {variable}' if variable else ''})."
    return ModelGated(f"{label} does not give {name} to everybody: it is gated or private.", hint)


def unavailable(label: str, what: str) -> SourceUnavailable:
    """The error for a source that fails; ``what`` goes on after a colon."""
    return SourceUnavailable(
        f"{label} cannot be reached: {what}.", "Run the command again, or take another --source; what came is kept."
    )


def _seconds(wait: float) -> str:
    return f" and asks to wait {wait:.0f} s" if wait else ""
