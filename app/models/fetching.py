"""Fetches a model: from a hub, a mirror or ModelScope to this disk; one that is here already is only looked at."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import DownloadError, ModelDamaged, ModelMissing, ModelNotOffered, ModelUnusable, Offline, UsageError
from app.models.download import Download
from app.models.folder import NOTES, fetch_command, is_cached
from app.models.kinds import SETTINGS, Kind, check, kind_of
from app.models.local import find
from app.models.manifest import read_manifest, verify
from app.models.names import Reference, parse
from app.models.shelf import place, register, unwritable
from app.models.sources import source
from app.models.sources.base import Listing, Source
from app.models.transfer import patiently
from app.schema import Progress

if TYPE_CHECKING:
    from app.config import Settings
    from app.schema import OnProgress

_TRIES = 3  # to learn what a source has
_TICK = 0.2  # seconds between two looks whether to go on


@dataclass(frozen=True)
class FetchRequest:
    """What to fetch. ``name``: ``org/name``, ``org/name@revision``, its page's address, or a folder on this disk.

    ``to`` is the folder it goes to (default: its own in MODELS_DIR). ``source``: hf (the default, at HF_ENDPOINT),
    hf-mirror, modelscope or a mirror's address. ``include`` and ``exclude`` are patterns of files. ``kind`` None
    is found out.
    """

    name: str
    to: Path | None = None
    source: str = ""
    revision: str = ""
    token: str = field(default="", repr=False)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    kind: Kind | None = None


@dataclass(frozen=True)
class Fetched:
    """A model that is on this disk, whole. ``setting`` set to ``value`` uses it; ``came``: bytes over the network.

    ``setting`` is empty where a choice of files was fetched that makes no model.
    """

    name: str
    folder: Path
    kind: Kind
    setting: str
    value: str
    came: int = 0
    notes: tuple[str, ...] = ()


def fetch(request: FetchRequest, settings: Settings, on_progress: OnProgress = lambda progress: None) -> Fetched:
    """Have a model on this disk, verified. What came of one that fails is kept, and the next call goes on from there.

    Raises:
        UsageError: the request contradicts itself, or names no source.
        ModelMissing, ModelDamaged: a folder on this disk holds no model, or not a whole one.
        Offline: OFFLINE is set, and the model is not here.
        DownloadError: it is not to be had, did not come whole, or no engine here could load it.
    """
    path = Path(os.path.abspath(os.path.expanduser(request.name.strip())))
    if request.name.strip() and os.path.lexists(path):
        return _from_folder(request, path, settings, on_progress)
    reference = _reference(request)
    anew = request.to or request.include or request.exclude or reference.source
    if not anew and (cached := _in_cache(request, reference, settings)):
        return cached
    folder = _folder(request, reference, settings)
    if settings.offline:
        return _offline(request, reference, folder, on_progress)
    return _fetched(request, reference, folder, settings, on_progress)


def _from_folder(request: FetchRequest, path: Path, settings: Settings, on_progress: OnProgress) -> Fetched:
    if request.to:
        raise UsageError(f"{path} is a folder on this disk; it is used where it is.", "Leave --to out.")
    folder = find(str(path), setting="the path", shelf=settings.models_folder)
    kind = request.kind or kind_of(folder)
    check(folder, kind)
    verify(folder, on_progress)
    _remember(folder, settings)
    return Fetched(str(folder), folder, kind, SETTINGS[kind], str(folder))


def _remember(folder: Path, settings: Settings) -> None:
    """What lies elsewhere is listed with the models of the shelf, as those of the hub's cache are by themselves."""
    if settings.models_folder not in folder.parents and not is_cached(folder):
        register(settings.models_folder, folder)


def _reference(request: FetchRequest) -> Reference:
    told = parse(request.name)
    if request.revision and told.revision and request.revision != told.revision:
        raise UsageError(f"{request.name} names the revision {told.revision}.", "Leave --revision out.")
    return Reference(told.name, request.revision or told.revision, request.source or told.source)


def _in_cache(request: FetchRequest, reference: Reference, settings: Settings) -> Fetched | None:
    """The model, where another program fetched all of it into the hub's cache."""
    try:
        folder = find(_value(reference))
        kind = request.kind or kind_of(folder)
        check(folder, kind)
    except (ModelMissing, ModelDamaged):
        return None
    if place(settings.models_folder, *reference[:2]).is_dir():
        return None
    note = "It was in the hub's cache already; a --source fetches it anew."
    return Fetched(_value(reference), folder, kind, SETTINGS[kind], _value(reference), notes=(note,))


def _folder(request: FetchRequest, reference: Reference, settings: Settings) -> Path:
    if request.to is None:
        return place(settings.models_folder, *reference[:2])
    folder = Path(os.path.abspath(request.to.expanduser()))
    if folder.is_dir() and not (folder / NOTES).is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} holds other files.", "Choose an empty or a new folder with --to.")
    held = read_manifest(folder)
    if held and held.name.partition("@")[0] != reference.name:
        raise UsageError(f"{folder} holds {held.name}.", "Choose an empty or a new folder with --to.")
    return folder


def _offline(request: FetchRequest, reference: Reference, folder: Path, on_progress: OnProgress) -> Fetched:
    try:
        found = find(str(folder))
    except ModelMissing:
        raise Offline(
            f"{reference.name} is not on this disk, and OFFLINE is set.",
            "Unset OFFLINE, or copy the model's folder here and name that.",
        ) from None
    kind = request.kind or kind_of(found)
    check(found, kind)
    verify(found, on_progress)
    value = str(folder) if request.to else _value(reference)
    return Fetched(_value(reference), found, kind, SETTINGS[kind], value, notes=("OFFLINE: no source was asked.",))


def _fetched(
    request: FetchRequest, reference: Reference, folder: Path, settings: Settings, on_progress: OnProgress
) -> Fetched:
    origin = source(reference.source, endpoint=settings.hf_endpoint, token=request.token)
    value = str(folder) if request.to else _value(reference)
    try:
        with locked(folder, reference.name):
            listing = _listing(origin, reference, on_progress)
            download = Download(origin, listing, folder, request.include, request.exclude, request.kind)
            command = _command(request, reference)
            download.run(_value(reference), command, on_progress, allow_pickle=settings.allow_pickle)
        if request.include or request.exclude:  # a choice of files need be no model
            return _chosen(request, reference, folder, value, download.came)
        kind = request.kind or kind_of(folder)
        check(folder, kind)
        _remember(folder, settings)
    except ModelDamaged as error:
        raise ModelUnusable(error.message, "It is so at the source: take another one, or another model.") from None
    return Fetched(_value(reference), folder, kind, SETTINGS[kind], value, download.came)


def _chosen(request: FetchRequest, reference: Reference, folder: Path, value: str, came: int) -> Fetched:
    kind: Kind = request.kind or "chat"
    notes: tuple[str, ...] = ()
    try:
        kind = request.kind or kind_of(folder)
        check(folder, kind)
    except ModelDamaged as error:
        notes = (f"These files make no model that an engine here loads: {error.message}",)
    return Fetched(_value(reference), folder, kind, "" if notes else SETTINGS[kind], value, came, notes)


def _listing(origin: Source, reference: Reference, on_progress: OnProgress) -> Listing:
    def pause(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            on_progress(Progress("starting", item=origin.label))  # so a job learns that it was cancelled
            time.sleep(min(left, _TICK))

    on_progress(Progress("starting", item=origin.label))
    try:
        return patiently(lambda: origin.listing(reference.name, reference.revision), _TRIES, pause)
    except ModelNotOffered as error:
        near = origin.nearest(reference.name)
        if reference.name in near and reference.revision:
            message = f"{reference.name} has no revision {reference.revision} at {origin.label}."
            raise ModelNotOffered(message, "Correct --revision, or leave it out.") from None
        if not near or reference.name in near:
            raise
        raise ModelNotOffered(error.message, f"Did you mean {' or '.join(near)}? {error.hint}") from None


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Nobody else fetches into ``folder`` meanwhile. Raises DownloadError where somebody does, DiskFull."""
    from filelock import FileLock, Timeout

    made = [path for path in (folder / NOTES, folder, *folder.parents) if not path.exists()]
    try:
        (folder / NOTES).mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / NOTES / "lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise DownloadError(f"{name} is being fetched already.", "Wait until that has ended.") from None
    except OSError as error:
        raise unwritable(folder, error) from None
    try:
        yield
    finally:
        lock.release()
        _tidy(folder / NOTES, made)


def _tidy(notes: Path, made: Sequence[Path]) -> None:
    """Where nothing came, leave no folder behind."""
    with suppress(OSError):  # one is not empty, or somebody began anew
        if os.listdir(notes) == ["lock"]:
            (notes / "lock").unlink()
        for path in made:
            path.rmdir()


def _value(reference: Reference) -> str:
    return f"{reference.name}@{reference.revision}" if reference.revision else reference.name


def _command(request: FetchRequest, reference: Reference) -> str:
    """What brings this model here again; a token is not part of it."""
    patterns: list[tuple[str, Sequence[str]]] = [("include", request.include), ("exclude", request.exclude)]
    options = [f"--{name} '{pattern}'" for name, chosen in patterns for pattern in chosen]
    options += [f"--to {request.to}"] if request.to else []
    options += [f"--source {reference.source}"] if reference.source else []
    options += [f"--{request.kind}"] if request.kind and request.kind != "chat" else []
    return " ".join([fetch_command(reference.name, reference.revision), *options])
