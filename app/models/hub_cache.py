"""The hub's cache on this disk: ``models--org--name/snapshots/<commit>/``, and ``refs/main`` names the commit."""

from __future__ import annotations

import os
from pathlib import Path

from app.errors import ModelDamaged
from app.models.folder import CONFIG, model_name
from app.models.weights import weight_files

_PREFIX = "models--"


def cache_folder() -> Path:
    """Where huggingface_hub keeps its downloads, by the same variables as it."""
    home = os.environ.get("HF_HOME") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache"), "huggingface"
    )
    folder = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    return Path(os.path.abspath(os.path.expandvars(os.path.expanduser(folder))))


def repository(name: str) -> Path:
    """The folder of the hub's model ``org/name``, whether it is there or not."""
    return cache_folder() / (_PREFIX + name.replace("/", "--"))


def is_repository(folder: Path) -> bool:
    """Whether ``folder`` is one of a model in a hub's cache."""
    return folder.name.startswith(_PREFIX) and os.path.isdir(folder) and not os.path.isfile(folder / CONFIG)


def cached_models() -> list[str]:
    """The names of the models in the cache, whole or not."""
    try:
        found = sorted(cache_folder().iterdir())
    except OSError:
        return []
    return [model_name(folder) for folder in found if is_repository(folder)]


def snapshot(folder: Path, revision: str = "") -> Path | None:
    """The state of a repository that ``revision`` names: a branch, a tag or a commit.

    Without one, it is that of ``refs/main`` where it is whole, else the newest that is whole. One that is not
    is given where there is nothing better, so that its reader can say what it lacks. None: there is none.
    """
    states = folder / "snapshots"
    if revision:
        named = states / (_commit(folder, revision) or revision)
        return named if os.path.isfile(named / CONFIG) else None
    main = _commit(folder, "main")
    try:
        found = sorted(states.iterdir(), key=lambda state: (state.name == main, state.stat().st_mtime), reverse=True)
    except OSError:
        return None
    found = [state for state in found if os.path.isfile(state / CONFIG)]
    return next(filter(_is_whole, found), found[0] if found else None)


def _commit(folder: Path, reference: str) -> str:
    try:
        return (folder / "refs" / reference).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _is_whole(state: Path) -> bool:
    try:
        return bool(weight_files(state))
    except ModelDamaged:
        return False
