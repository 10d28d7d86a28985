"""From what a user wrote to the folder of a model on this disk. Nothing here asks a network."""

from __future__ import annotations

import os
import re
from pathlib import Path

from app.config_errors import did_you_mean
from app.errors import ModelMissing
from app.models.folder import CONFIG, MARKS, fetch_command, file_names, model_name, other_format, unfinished
from app.models.hub_cache import cached_models, is_repository, repository, snapshot
from app.models.shelf import fetched, kept, registered, shelf_name

_HUB_ID = re.compile(r"(?P<name>\w[\w.-]*(?:/\w[\w.-]*)?)(?:@(?P<revision>\w[\w./-]*))?/?", re.ASCII)
_LISTED = 5  # files or folders that a message names


def find(name: str, *, setting: str = "VLLM_MODEL_PATH", shelf: Path | None = None) -> Path:
    """The folder, with its config.json, of the model ``name``; its other files may still be damaged.

    ``name`` is a folder, a repository or a snapshot in a hub cache, or a hub id (``org/name`` or
    ``org/name@revision``) that the ``shelf`` (MODELS_DIR) or the hub's cache has. A folder wins over a hub id of
    the same name, the shelf over the cache. ``setting`` is where the name comes from; messages speak of it.

    Raises:
        ModelMissing: no such model is on this disk.
    """
    name = name.replace("\0", "").strip()  # the one character that no path has, and that some calls choke on
    if not name:
        raise ModelMissing("No model is set.", f"Set {setting} to a model's folder or hub id, such as Qwen/Qwen3-8B.")
    path = Path(os.path.abspath(os.path.expanduser(name)))
    if os.path.isdir(path):
        return _in_folder(path, setting)
    if os.path.lexists(path):
        raise _no_folder(path, setting)
    match = _HUB_ID.fullmatch(name)
    if match is None:
        raise _no_such_folder(path, setting)
    hub_id, revision = match["name"], match["revision"] or ""
    own = kept(shelf, hub_id, revision) if shelf else None
    if own is not None:
        return _in_folder(own, setting)
    found = _in_cache(hub_id, revision)
    if found is None:
        raise _not_here(hub_id, revision, path, setting, shelf)
    return found


def _in_folder(path: Path, setting: str) -> Path:
    if is_repository(path):
        state = snapshot(path)
        if state is None:
            raise _unfinished(model_name(path))
        return state
    if not_whole := unfinished(path):
        raise not_whole
    if any(os.path.isfile(path / mark) for mark in (CONFIG, *MARKS)):
        return path
    try:
        names = file_names(path)
        folders = sorted(entry.name for entry in os.scandir(path) if entry.is_dir())
    except OSError as error:
        reason = error.strerror or error
        raise ModelMissing(f"The folder {path} cannot be opened: {reason}.", "Let this user read it.") from None
    raise _no_model(path, names, folders, setting)


def _in_cache(name: str, revision: str) -> Path | None:
    folder = repository(name)
    if not is_repository(folder):
        return None
    state = snapshot(folder, revision)
    if state is None and not revision:
        raise _unfinished(name)
    return state


def _no_model(path: Path, names: list[str], folders: list[str], setting: str) -> ModelMissing:
    """A folder without config.json: says what is in it instead."""
    there = other_format(names)
    if there:
        return ModelMissing(f"The folder {path} holds {there[0]}, no model with a {CONFIG}.", there[1])
    inner = [name for name in folders if os.path.isfile(path / name / CONFIG) or is_repository(path / name)]
    if inner:
        several = f"Set {setting} to one of them: {_list(inner)}."
        hint = f"Set {setting} to {path / inner[0]}." if len(inner) == 1 else several
        return ModelMissing(f"The folder {path} holds no {CONFIG}, but folders of models.", hint)
    what = f"only {_list(names + folders)}" if names or folders else "nothing"
    return ModelMissing(
        f"The folder {path} holds no {CONFIG}: {what} is in it.",
        f"Copy the whole model there, or correct {setting}.",
    )


def _no_folder(path: Path, setting: str) -> ModelMissing:
    """A file, or a link that leads nowhere."""
    if not os.path.isfile(path):
        return ModelMissing(f"{path} leads to no folder.", f"Correct {setting}.")
    there = other_format([path.name])
    what = f"{there[0]}, a file" if there else "a file"
    hint = there[1] if there else f"Set {setting} to the folder that it lies in, {path.parent}."
    return ModelMissing(f"{path} is {what} and not a model's folder.", hint)


def _no_such_folder(path: Path, setting: str) -> ModelMissing:
    return ModelMissing(
        f"There is no folder {path}{_nearest_folder(path)}.", f"Correct {setting}, or copy the model there."
    )


def _nearest_folder(path: Path) -> str:
    """The name next to the first part of ``path`` that is not there."""
    while not os.path.isdir(path.parent) and path.parent != path:
        path = path.parent
    try:
        siblings = [entry.name for entry in os.scandir(path.parent) if entry.is_dir()]
    except OSError:
        return ""
    return did_you_mean(path.name, siblings, otherwise=False)


def _not_here(name: str, revision: str, path: Path, setting: str, shelf: Path | None) -> ModelMissing:
    """A hub id, or a folder's name that looks like one."""
    command = fetch_command(name, revision)
    if revision and is_repository(repository(name)):
        return ModelMissing(
            f"{name} is on this disk, but not its revision {revision}.",
            f"Fetch it with `{command}`, or correct {setting}.",
        )
    own = [*registered(shelf), *(shelf_name(shelf, folder) for folder in fetched(shelf))] if shelf else []
    known = [*own, *cached_models()]
    same = [model for model in known if "/" not in name and model.partition("/")[2].lower() == name.lower()]
    near = f" (did you mean {same[0]}?)" if same else did_you_mean(name, known, otherwise=False)
    return ModelMissing(
        f"{name} is not on this disk{near or _nearest_folder(path)}.",
        f"Fetch it with `{command}`, or correct {setting}.",
    )


def _unfinished(name: str) -> ModelMissing:
    hint = f"Fetch it again with `{fetch_command(name)}`."
    return ModelMissing(f"The download of {name} never got to its {CONFIG}.", hint)


def _list(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
